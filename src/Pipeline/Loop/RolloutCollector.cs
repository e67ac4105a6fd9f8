using System.Diagnostics;
using Rlhf.Core;
using Rlhf.Generation;
using Rlhf.Optimization;
using Rlhf.Scoring;
using Rlhf.Trajectories;

namespace Rlhf.Pipeline;

/// <summary>What one iteration is trained on.</summary>
/// <param name="ScoredFiles">The scored file, or the pattern of its rounds.</param>
/// <param name="Rows">Their rows, in that order.</param>
/// <param name="Others">Scores of greedy and reference responses, where the method subtracts them.</param>
/// <param name="Tokens">Response tokens drawn, all kinds.</param>
/// <param name="GenerationSeconds">Wall-clock of drawing.</param>
/// <param name="ScoringSeconds">Wall-clock of scoring.</param>
public sealed record CollectedRollouts(
    string ScoredFiles, IReadOnlyList<ScoredRollout> Rows, PromptScores Others, long Tokens, double GenerationSeconds, double ScoringSeconds);

/// <summary>
/// Draws and scores an iteration's responses: once; in further rounds while dynamic sampling lacks prompts that tell something; and the greedy responses of
/// policy or reference where a method subtracts their scores. All files lie in the iteration's folder.
/// </summary>
public sealed class RolloutCollector(RunConfig config, GenerationStage generation, ScoringStage scoring, PromptSchedule schedule, string reference)
{
    private long _tokens;
    private double _generationSeconds;
    private double _scoringSeconds;

    /// <param name="iteration">From 1.</param>
    /// <param name="paths">Where the files go.</param>
    /// <param name="policy">The ONNX folder that the engine has open.</param>
    /// <param name="cancellation">Honoured between tokens and batches.</param>
    public CollectedRollouts Collect(int iteration, IterationPaths paths, string policy, CancellationToken cancellation)
    {
        (_tokens, _generationSeconds, _scoringSeconds) = (0, 0, 0);
        Directory.CreateDirectory(paths.Folder);
        SamplingOptions sampling = Sampling.Of(config, iteration);
        List<Prompt> prompts = schedule.Of(iteration);
        ScoredRollout[] rows = Draw(prompts, sampling, paths.Folder, "", cancellation);
        string scored = paths.Scored;
        for (int round = 1; config.Method.DynamicSampling && round <= config.Method.DynamicSamplingRounds; round++)
        {
            int missing = config.Generation.PromptsPerIteration - Telling(rows);
            if (missing <= 0) break;
            List<Prompt> more = schedule.More(iteration, round, missing, prompts);
            prompts.AddRange(more);
            Draw(more, sampling, paths.Folder, $"-{round}", cancellation);
            scored = Path.Combine(paths.Folder, "scored*.parquet");
            rows = [.. ScoredFile.Read(scored)];
        }

        var others = new PromptScores(
            config.Method.NeedsGreedyScores ? Greedy(prompts, sampling, paths.Folder, "-greedy", cancellation) : null,
            config.Method.RewardBaseline == RewardBaseline.Reference ? OfReference(prompts, sampling, paths.Folder, policy, cancellation) : null);
        return new CollectedRollouts(scored, rows, others, _tokens, _generationSeconds, _scoringSeconds);
    }

    /// <summary>Prompts whose responses did not all score alike.</summary>
    private static int Telling(IEnumerable<ScoredRollout> rows) =>
        rows.GroupBy(r => r.Rollout.PromptId, StringComparer.Ordinal).Count(g => g.Max(r => r.Scores.Score) > g.Min(r => r.Scores.Score));

    private IReadOnlyDictionary<string, double> OfReference(List<Prompt> prompts, SamplingOptions sampling, string folder, string policy, CancellationToken cancellation)
    {
        generation.Engine.Reopen(PolicyFolder.Open(reference));
        try
        {
            return Greedy(prompts, sampling, folder, "-reference", cancellation);
        }
        finally
        {
            generation.Engine.Reopen(PolicyFolder.Open(policy));
        }
    }

    // In a folder of their own, so that no pattern of the sampled rounds takes them in.
    private IReadOnlyDictionary<string, double> Greedy(List<Prompt> prompts, SamplingOptions sampling, string folder, string suffix, CancellationToken cancellation)
    {
        string baselines = Path.Combine(folder, "baselines");
        Directory.CreateDirectory(baselines);
        return PromptScores.Of(Draw(prompts, sampling with { Greedy = true, SamplesPerPrompt = 1 }, baselines, suffix, cancellation), baselines);
    }

    private ScoredRollout[] Draw(List<Prompt> prompts, SamplingOptions sampling, string folder, string suffix, CancellationToken cancellation)
    {
        string rollouts = Path.Combine(folder, $"rollouts{suffix}.parquet"), scored = Path.Combine(folder, $"scored{suffix}.parquet");
        PromptSchedule.Write(Path.Combine(folder, $"prompts{suffix}.jsonl"), prompts);
        long start = Stopwatch.GetTimestamp();
        _tokens += generation.Run(prompts, sampling, rollouts, null, cancellation).Tokens;
        long drawn = Stopwatch.GetTimestamp();
        ScoringSummary summary = scoring.Run(Sampling.Scoring(config, rollouts, scored), null, cancellation);
        if (summary.Excluded > 0) Log.Warning($"{scored}: {summary.Excluded} responses have no score because a reward did not apply; they are not trained on.");
        _generationSeconds += Stopwatch.GetElapsedTime(start, drawn).TotalSeconds;
        _scoringSeconds += Stopwatch.GetElapsedTime(drawn).TotalSeconds;
        return [.. ScoredFile.Read(scored)];
    }
}
