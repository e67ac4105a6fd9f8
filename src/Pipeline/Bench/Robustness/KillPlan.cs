using System.Globalization;
using Rlhf.Core;

namespace Rlhf.Pipeline.Bench;

/// <summary>Where in a run a kill is aimed at: a share of the time between one file's appearance and the next.</summary>
/// <param name="Iteration">From 1.</param>
/// <param name="Stage">Index into <see cref="KillPlan.Stages"/>.</param>
/// <param name="Share">0 to 1.</param>
public readonly record struct KillTarget(int Iteration, int Stage, double Share);

/// <summary>Random moments spread evenly over the stages of a run, and how they are recognised from outside: by the files that appear.</summary>
public static class KillPlan
{
    /// <summary>The stages in order, each with the path whose appearance begins it; the first begins with the process.</summary>
    public static IReadOnlyList<(string Name, string Marker)> Stages { get; } =
    [
        ("start", ""),
        ("generation", "iterations/{0}/prompts.jsonl"),
        ("scoring", "iterations/{0}/rollouts.parquet"),
        ("optimization", "iterations/{0}/scored.parquet"),
        ("export", "iterations/{0}/trajectories.parquet"),
        ("checkpoint", "iterations/{0}/policy"),
        ("clean-up", "checkpoints/{0}"),
        ("end", "policy"),
    ];

    public const int Start = 0, End = 7;

    /// <summary>Moments of a seed, in the order in which a run meets them.</summary>
    public static IReadOnlyList<KillTarget> Of(ulong seed, int count, int iterations)
    {
        KillTarget[] targets =
        [
            .. Enumerable.Range(0, count).Select(i =>
            {
                int stage = i % Stages.Count;
                int iteration = stage == End ? iterations : 1 + (int)(AddressedRandom.Uniform(seed, AddressedRandom.Stream.Data, (uint)i, 0) * iterations);
                return new KillTarget(iteration, stage, AddressedRandom.Uniform(seed, AddressedRandom.Stream.Data, (uint)i, 1));
            }),
        ];
        return [.. targets.OrderBy(t => t.Iteration).ThenBy(t => t.Stage).ThenBy(t => t.Share)];
    }

    /// <summary>The path that begins a stage of an iteration.</summary>
    public static string Marker(string run, int iteration, int stage) =>
        Path.Combine(run, string.Format(CultureInfo.InvariantCulture, Stages[stage].Marker, iteration.ToString("0000", CultureInfo.InvariantCulture)));
}
