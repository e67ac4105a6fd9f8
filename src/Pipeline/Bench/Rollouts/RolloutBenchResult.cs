namespace Rlhf.Pipeline.Bench;

/// <summary>One line of <c>rlhf bench rollouts</c>: medians over the repetitions.</summary>
/// <param name="Case">What was drawn.</param>
/// <param name="Engine">"ort", "genai" or "bare" (decoding steps alone).</param>
/// <param name="Batch">Rows at once.</param>
/// <param name="TokensPerSecond">Response tokens a second, prompts' time included (bare: steps only).</param>
/// <param name="RatioToGenAI">Tokens/s over GenAI's in the same case.</param>
/// <param name="ShareOfBare">Decoding tokens/s (prompts' time left out) over the bare steps' in the same case.</param>
/// <param name="CpuMilliseconds">Processor time a token, all threads; 0 where not taken.</param>
/// <param name="PeakMegabytes">Highest resident memory of the process while it ran.</param>
public sealed record RolloutBenchRow(string Case, string Engine, int Batch, double TokensPerSecond, double? RatioToGenAI, double? ShareOfBare, double CpuMilliseconds, double PeakMegabytes);

/// <summary>A single number with the bound that it is held against.</summary>
public sealed record RolloutBenchNumber(string Name, double Value, string Unit, string Required, bool Met);

/// <summary>Everything that was measured.</summary>
/// <param name="Threads">Of our engine.</param>
/// <param name="Repeats">Repetitions; medians are told.</param>
/// <param name="Processor">As the system calls it.</param>
/// <param name="Rows">Engines side by side.</param>
/// <param name="Numbers">Single numbers and their bounds.</param>
/// <param name="LongRunMegabytes">Resident memory after every tenth of the long run; empty where there was none.</param>
public sealed record RolloutBenchResult(
    int Threads, int Repeats, string Processor, IReadOnlyList<RolloutBenchRow> Rows, IReadOnlyList<RolloutBenchNumber> Numbers, IReadOnlyList<double> LongRunMegabytes);
