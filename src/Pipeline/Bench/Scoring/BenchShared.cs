using System.Diagnostics;
using Rlhf.Core;
using Rlhf.Scoring;

namespace Rlhf.Pipeline.Bench;

/// <summary>What it gains to compute a prompt once that several responses share.</summary>
/// <param name="Prompts">Prompts.</param>
/// <param name="Responses">Responses to each.</param>
/// <param name="PromptTokens">Tokens of a prompt.</param>
/// <param name="ResponseTokens">Tokens of a response.</param>
/// <param name="RewardSpeedUp">Seconds of the reward model without sharing over those with it: the median of some turns.</param>
/// <param name="ReferenceSpeedUp">The same of reference log-probs; null where there is no reference.</param>
/// <param name="Bound">Tokens without sharing over tokens with it.</param>
/// <param name="WorstDifference">Largest difference of a score or log-prob from that without sharing.</param>
public sealed record SharedBenchResult(
    int Prompts, int Responses, int PromptTokens, int ResponseTokens, double RewardSpeedUp, double? ReferenceSpeedUp, double Bound, double WorstDifference);

/// <summary>Measures shared prompts: inference alone on made-up tokens, with sharing and without in turn.</summary>
internal static class BenchShared
{
    private const int Turns = 5;

    public static SharedBenchResult Run(ScoringBenchOptions options, RewardModel model, int threads, string root, Action<string> told, CancellationToken cancellation)
    {
        told("prompts with several responses");
        int prompt = Math.Min(options.SharedPromptTokens, model.MaxLength - 1), response = Math.Min(options.SharedResponseTokens, model.MaxLength - prompt), vocabulary = model.VocabularySize;
        int[][] prompts = [.. Enumerable.Range(0, options.SharedPrompts).Select(p => Tokens(p, 0, prompt, vocabulary))];
        (int[] Prompt, int[] Response)[] rows = [.. prompts.SelectMany((p, i) => Enumerable.Range(1, options.SharedResponses).Select(r => (p, Tokens(i, r, response, vocabulary))))];
        int[][] texts = [.. rows.Select(r => (int[])[.. r.Prompt, .. r.Response])];
        double worst = 0;
        double reward = Median(share => model.ScoreAll(texts, threads, options.BatchTokens, cancellation, share), (a, b) => worst = Math.Max(worst, a.Zip(b, (x, y) => Math.Abs(x - y)).Max()));
        double? reference = null;
        if (options.Reference.Length > 0)
        {
            using LogProbScorer scorer = new(BenchScoring.Onnx(options.Reference, Path.Combine(root, "shared-policy")), threads: 1);
            int[] all = [.. Enumerable.Range(0, rows.Length)];
            float[][] LogProbs(bool share)
            {
                float[][] found = new float[rows.Length][];
                scorer.ScoreAll(rows, all, 1, found, threads, options.BatchTokens, cancellation, share);
                return found;
            }

            reference = Median(LogProbs, (a, b) => worst = Math.Max(worst, a.Zip(b, (x, y) => (double)x.Zip(y, (p, q) => Math.Abs(p - q)).Max()).Max()));
        }

        double bound = options.SharedResponses * (prompt + response) / (prompt + ((double)options.SharedResponses * response));
        return new SharedBenchResult(options.SharedPrompts, options.SharedResponses, prompt, response, reward, reference, bound, worst);
    }

    private static double Median<T>(Func<bool, T> score, Action<T, T> compare)
    {
        double[] ratios = new double[Turns];
        compare(score(true), score(false)); // warms both up
        for (int turn = 0; turn < Turns; turn++)
        {
            long start = Stopwatch.GetTimestamp();
            score(true);
            double shared = Stopwatch.GetElapsedTime(start).TotalSeconds;
            start = Stopwatch.GetTimestamp();
            score(false);
            ratios[turn] = Stopwatch.GetElapsedTime(start).TotalSeconds / shared;
        }

        return ratios.Order().ElementAt(Turns / 2);
    }

    private static int[] Tokens(int prompt, int response, int count, int vocabulary) =>
        [.. Enumerable.Range(0, count).Select(t => (int)(AddressedRandom.Uniform(5, AddressedRandom.Stream.Probe, (uint)prompt, (uint)response, (uint)t) * vocabulary))];
}
