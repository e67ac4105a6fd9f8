using Rlhf.Core;
using Rlhf.Generation;
using Rlhf.Scoring;
using Rlhf.Trajectories;

namespace Rlhf.Pipeline;

/// <summary>Fresh samples from held-out prompts, scored: the judgement before and after.</summary>
/// <param name="Rows">Scored responses, in the order (prompt, sample).</param>
/// <param name="Score">Mean weighted sum.</param>
/// <param name="ScoreError">Standard error of the mean score; prompts are independent, responses to one are not.</param>
/// <param name="KlPerToken">k3 to the reference, nats.</param>
/// <param name="Distinct2">Share of different bigrams.</param>
/// <param name="Length">Mean response tokens.</param>
public sealed record Evaluation(IReadOnlyList<ScoredRollout> Rows, double Score, double ScoreError, double KlPerToken, double Distinct2, double Length)
{
    /// <summary>The iteration part of the random address of evaluation samples: no training iteration has it.</summary>
    private const int Address = 1_000_000_000;

    /// <summary>Draws, scores and writes <c>folder/rollouts.parquet</c> and <c>folder/scored.parquet</c>. The same addresses before and after: differences come from the weights.</summary>
    /// <param name="config">The run's.</param>
    /// <param name="generation">Has the policy open.</param>
    /// <param name="scoring">The rewards.</param>
    /// <param name="folder">Where the files go.</param>
    /// <param name="work">What an interrupted process finished.</param>
    /// <param name="cancellation">Between tokens and batches.</param>
    public static Evaluation Run(RunConfig config, GenerationStage generation, ScoringStage scoring, string folder, UnfinishedWork work, CancellationToken cancellation)
    {
        string rollouts = Path.Combine(folder, "rollouts.parquet"), scored = Path.Combine(folder, "scored.parquet"), policy = generation.Engine.PolicyHash;
        FileErrors.Writing(folder, () => Durable.CreateFolder(folder));
        if (work.Find(rollouts, policy) is null)
        {
            SamplingOptions sampling = StageOptions.Sampling(config, Address) with { SamplesPerPrompt = config.Evaluation.SamplesPerPrompt };
            generation.Run(PromptFile.Read(config.Evaluation.Prompts, config.Generation.PromptColumn), sampling, rollouts, null, cancellation);
            work.Add(rollouts, policy, 0);
        }

        scoring.Run(StageOptions.Scoring(config, rollouts, scored), null, cancellation);
        return Of([.. ScoredFile.Read(scored)]);
    }

    public static Evaluation Of(IReadOnlyList<ScoredRollout> rows)
    {
        ScoredRollout[] scored = [.. rows.Where(r => r.Scores.Score is not null)];
        double mean = scored.Length == 0 ? double.NaN : scored.Average(r => r.Scores.Score!.Value);
        return new Evaluation(rows, mean, ErrorOfMean(scored, mean), RolloutStatistics.KlPerToken(rows), RolloutStatistics.Distinct(rows.Select(r => r.Rollout.ResponseTokens), 2),
            rows.Average(r => r.Rollout.ResponseTokens.Length));
    }

    // Responses to one prompt are alike: G/(G − 1) · Σ over prompts (Σ of the prompt's (s − mean))² / n², which is the usual s²/n where each has one response (Liang & Zeger 1986).
    private static double ErrorOfMean(ScoredRollout[] scored, double mean)
    {
        double[] prompts = [.. scored.GroupBy(r => r.Rollout.PromptId, StringComparer.Ordinal).Select(g => g.Sum(r => r.Scores.Score!.Value - mean))];
        return prompts.Length < 2 ? double.NaN : Math.Sqrt((double)prompts.Length / (prompts.Length - 1) * prompts.Sum(d => d * d)) / scored.Length;
    }
}
