using Rlhf.Core;

namespace Rlhf.Pipeline.Bench;

/// <summary>Where in a run a kill is aimed at: a share of the time between one stage's beginning and the next.</summary>
/// <param name="Iteration">From 1.</param>
/// <param name="Stage">Index into <see cref="KillPlan.Stages"/>.</param>
/// <param name="Share">0 to 1.</param>
public readonly record struct KillTarget(int Iteration, int Stage, double Share);

/// <summary>Random moments spread over the stages of a run, which it tells line by line (<see cref="RunPlace"/>).</summary>
public static class KillPlan
{
    /// <summary>The stages in order; the first begins with the process.</summary>
    public static IReadOnlyList<string> Stages { get; } =
        ["start", RunPlace.Generation, RunPlace.Scoring, RunPlace.Optimization, RunPlace.Export, RunPlace.Checkpoint, RunPlace.CleanUp, RunPlace.End];

    public const int Start = 0, Optimization = 3, Checkpoint = 5, CleanUp = 6, End = 7;

    // Training is where most of the time of a run goes, and where most can be lost.
    private static readonly int[] Turns = [Start, 1, 2, Optimization, 4, Optimization, Checkpoint, CleanUp, Optimization, End];

    /// <summary>Moments of a seed, in the order in which a run meets them.</summary>
    public static IReadOnlyList<KillTarget> Of(ulong seed, int count, int iterations)
    {
        KillTarget[] targets =
        [
            .. Enumerable.Range(0, count).Select(i =>
            {
                int stage = Turns[i % Turns.Length];
                int iteration = stage == End ? iterations : 1 + (int)(AddressedRandom.Uniform(seed, AddressedRandom.Stream.Data, (uint)i, 0) * iterations);
                return new KillTarget(iteration, stage, AddressedRandom.Uniform(seed, AddressedRandom.Stream.Data, (uint)i, 1));
            }),
        ];
        return [.. targets.OrderBy(t => t.Iteration).ThenBy(t => t.Stage).ThenBy(t => t.Share)];
    }

    /// <summary>
    /// True when a run that tells this stage has come to the target: the stage itself, or, where an earlier process did that stage's work, what comes after it.
    /// Checkpoint and clean-up happen beside the next iteration, so that its beginning says nothing about them.
    /// </summary>
    public static bool IsReached(KillTarget target, int iteration, int stage)
    {
        if (iteration == target.Iteration && stage == target.Stage) return true;
        bool isBeside = target.Stage is Checkpoint or CleanUp;
        if (isBeside) return iteration > target.Iteration && stage >= Optimization;
        return stage is not (Checkpoint or CleanUp) && (iteration, stage).CompareTo((target.Iteration, target.Stage)) > 0;
    }
}
