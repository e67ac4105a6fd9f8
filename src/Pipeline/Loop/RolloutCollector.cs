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
/// <param name="Hash">Of all scored files: what the training depends on besides the weights.</param>
public sealed record CollectedRollouts(
    string ScoredFiles, IReadOnlyList<ScoredRollout> Rows, PromptScores Others, long Tokens, double GenerationSeconds, double ScoringSeconds, string Hash);

/// <summary>
/// Draws and scores an iteration's responses: once; in further rounds while dynamic sampling lacks prompts that tell something; and the greedy responses of
/// policy or reference where a method subtracts their scores. All files lie in the iteration's folder; those that an interrupted process finished are taken as they are.
/// </summary>
public sealed class RolloutCollector(RunConfig config, GenerationStage generation, ScoringStage scoring, PromptSchedule schedule, string reference, RunPlace place)
{
    private readonly List<string> _hashes = [];
    private long _tokens;
    private double _generationSeconds;
    private double _scoringSeconds;

    /// <param name="iteration">From 1.</param>
    /// <param name="paths">Where the files go.</param>
    /// <param name="policy">The ONNX folder that the engine has open.</param>
    /// <param name="work">What an interrupted process finished, and where finished files are listed; null: nothing is kept for a next process.</param>
    /// <param name="cancellation">Honoured between tokens and batches.</param>
    public CollectedRollouts Collect(int iteration, IterationPaths paths, string policy, UnfinishedWork? work, CancellationToken cancellation)
    {
        _hashes.Clear();
        (_tokens, _generationSeconds, _scoringSeconds) = (0, 0, 0);
        FileErrors.Writing(paths.Folder, () => Durable.CreateFolder(paths.Folder));
        SamplingOptions sampling = StageOptions.Sampling(config, iteration);
        List<Prompt> prompts = schedule.Of(iteration);
        var rows = new List<ScoredRollout>(Draw(prompts, sampling, paths.Folder, "", work, cancellation));
        string scored = paths.Scored;
        for (int round = 1; config.Method.DynamicSampling && round <= config.Method.DynamicSamplingRounds; round++)
        {
            int missing = config.Generation.PromptsPerIteration - Telling(rows);
            if (missing <= 0) break;
            List<Prompt> more = schedule.More(iteration, round, missing, prompts);
            prompts.AddRange(more);
            rows.AddRange(Draw(more, sampling, paths.Folder, $"-{round}", work, cancellation));
            scored = Path.Combine(paths.Folder, "scored*.parquet");
        }

        var others = new PromptScores(
            config.Method.NeedsGreedyScores ? Greedy(prompts, sampling, paths.Folder, "-greedy", work, cancellation) : null,
            config.Method.RewardBaseline == RewardBaseline.Reference ? OfReference(prompts, sampling, paths.Folder, policy, work, cancellation) : null);
        // Rounds are trained on in the order in which the pattern lists their files.
        if (scored != paths.Scored) rows = [.. ScoredFile.Read(scored)];
        return new CollectedRollouts(scored, rows, others, _tokens, _generationSeconds, _scoringSeconds, Sha256.OfText(string.Join('\n', _hashes)));
    }

    /// <summary>Prompts whose responses did not all score alike.</summary>
    private static int Telling(IEnumerable<ScoredRollout> rows) =>
        rows.GroupBy(r => r.Rollout.PromptId, StringComparer.Ordinal).Count(g => g.Max(r => r.Scores.Score) > g.Min(r => r.Scores.Score));

    private IReadOnlyDictionary<string, double> OfReference(List<Prompt> prompts, SamplingOptions sampling, string folder, string policy, UnfinishedWork? work, CancellationToken cancellation)
    {
        generation.Engine.Reopen(PolicyFolder.Open(reference));
        try
        {
            return Greedy(prompts, sampling, folder, "-reference", work, cancellation);
        }
        finally
        {
            generation.Engine.Reopen(PolicyFolder.Open(policy));
        }
    }

    // In a folder of their own, so that no pattern of the sampled rounds takes them in.
    private IReadOnlyDictionary<string, double> Greedy(List<Prompt> prompts, SamplingOptions sampling, string folder, string suffix, UnfinishedWork? work, CancellationToken cancellation)
    {
        string baselines = Path.Combine(folder, "baselines");
        FileErrors.Writing(baselines, () => Durable.CreateFolder(baselines));
        return PromptScores.Of(Draw(prompts, sampling with { Greedy = true, SamplesPerPrompt = 1 }, baselines, suffix, work, cancellation));
    }

    private ScoredRollout[] Draw(List<Prompt> prompts, SamplingOptions sampling, string folder, string suffix, UnfinishedWork? work, CancellationToken cancellation)
    {
        string rollouts = Path.Combine(folder, $"rollouts{suffix}.parquet"), scored = Path.Combine(folder, $"scored{suffix}.parquet");
        string policy = generation.Engine.PolicyHash;
        if (work?.Find(rollouts, policy) is not { } drawn)
        {
            work?.Forget(scored);
            place.Enter(sampling.Iteration, RunPlace.Generation, prompts.Count * (long)sampling.SamplesPerPrompt > sampling.PartResponses
                ? $"while responses were drawn; finished parts of {sampling.PartResponses} are kept" : "while responses were drawn; they are drawn again");
            PromptSchedule.Write(Path.Combine(folder, $"prompts{suffix}.jsonl"), prompts);
            long start = Stopwatch.GetTimestamp();
            generation.Run(prompts, sampling, rollouts, null, cancellation);
            drawn = Finished(work, rollouts, policy, start);
        }

        if (work?.Find(scored, drawn.Sha256) is not { } judged)
        {
            place.Enter(sampling.Iteration, RunPlace.Scoring, "while responses were scored; those drawn are kept");
            long start = Stopwatch.GetTimestamp();
            scoring.Run(StageOptions.Scoring(config, rollouts, scored), null, cancellation);
            judged = Finished(work, scored, drawn.Sha256, start);
        }
        else
        {
            File.Delete(scored + ".scores.partial"); // a process that was killed between the output's name and this
        }

        ScoredRollout[] rows = [.. ScoredFile.Read(scored)];
        int excluded = rows.Count(r => r.Scores.Score is null);
        if (excluded > 0) Log.Warning($"{scored}: {excluded} responses have no score because a reward did not apply; they are not trained on.");
        _tokens += rows.Sum(r => (long)r.Rollout.ResponseTokens.Length);
        _generationSeconds += drawn.Seconds;
        _scoringSeconds += judged.Seconds;
        _hashes.Add(judged.Sha256);
        return rows;
    }

    private static FinishedFile Finished(UnfinishedWork? work, string path, string key, long start)
    {
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        return work?.Add(path, key, seconds) ?? new FinishedFile(key, new FileInfo(path).Length, Sha256.OfFile(path), seconds);
    }
}
