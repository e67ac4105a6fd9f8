namespace Rlhf.Core;

/// <summary>The metrics of one iteration (or of one step of SFT and reward-model training).</summary>
public sealed record MetricRow(int Iteration, IReadOnlyDictionary<string, double> Values);
