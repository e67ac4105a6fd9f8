using System.Diagnostics;
using System.Globalization;
using Rlhf.Algorithms;
using Rlhf.Core;
using Rlhf.Optimization;
using Rlhf.Trajectories;

namespace Rlhf.Pipeline.Bench;

/// <summary>
/// The methods that learn from a finished file, on the shipped models: samples of the review writer, judged by the reward model, become pairs (preference
/// methods) or are taken as they are (RFT, ILQL). Each runs its shipped configuration; the tuned policy's answers to held-out prompts are held against
/// those of the policy that it started from, sample by sample.
/// </summary>
public sealed class SentimentPreferences : IAlgorithmBench
{
    private const int TrainSamples = 8, PairsPerPrompt = 3, HeldOutSamples = 4;

    private static readonly string[] Methods = [.. Enum.GetValues<PreferenceMethod>().Select(m => m.ToString().ToLowerInvariant()), "rft", "ilql"];

    /// <inheritdoc/>
    public string Name => "preferences";

    /// <inheritdoc/>
    public string Description => "models/policy-imdb on 8 samples each of the training prompts, judged by models/reward-imdb; configs/METHOD.yaml; held-out prompts.";

    private sealed record Result(string Method, ulong Seed, double Accuracy, double PositiveBefore, double PositiveAfter, double WinRate, double KlPerToken, double Seconds);

    /// <inheritdoc/>
    public AlgorithmTable Run(AlgorithmBenchOptions options, Action<string> told, CancellationToken cancellation)
    {
        string root = Directory.CreateTempSubdirectory("rlhf-preferences-").FullName;
        var results = new List<Result>();
        try
        {
            using var samples = new SentimentSamples(root, options.Threads);
            for (ulong seed = 1; seed <= (ulong)options.Seeds; seed++)
            {
                string scored = samples.Train(TrainSamples, seed, cancellation), pairs = Path.Combine(root, "pairs.parquet");
                ScoredGroups groups = ScoredGroups.Read([scored]);
                List<SamplePair> made = PreferencePairs.BestAgainstWorst(groups.Groups, groups.Scores, groups.Valid, 0, PairsPerPrompt);
                PairsCommand.Write(pairs, groups, made);
                Evaluation before = samples.HeldOut(samples.Onnx, HeldOutSamples, seed, cancellation);
                told($"preferences, seed {seed}: {groups.Rows.Count:N0} samples, {made.Count:N0} pairs; P(positive) of the start {before.Score:F3}");
                foreach (string method in Methods.Where(options.Wants))
                {
                    string output = Path.Combine(root, method);
                    long started = Stopwatch.GetTimestamp();
                    double accuracy = Quietly(() => Train(method, scored, pairs, output, seed, options.Threads, cancellation));
                    double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
                    Evaluation after = samples.HeldOut(Path.Combine(output, "onnx"), HeldOutSamples, seed, cancellation);
                    results.Add(new Result(method, seed, accuracy, before.Score, after.Score, WinRate(before, after), after.KlPerToken, seconds));
                    Directory.Delete(output, recursive: true);
                    told($"preferences, seed {seed}, {method}: P(positive) {before.Score:F3} → {after.Score:F3}, win rate {results[^1].WinRate:P0} in {seconds:F0} s");
                }
            }
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }

        return new AlgorithmTable(
            Name, ["method", "held-out preference accuracy", "P(positive) before", "after", "win rate against SFT", "KL, nats a token", "seconds"],
            [
                .. results.GroupBy(r => r.Method).Select(g => (IReadOnlyList<string>)
                [
                    g.Key, double.IsNaN(g.First().Accuracy) ? "" : Spread(g, r => r.Accuracy), Spread(g, r => r.PositiveBefore), Spread(g, r => r.PositiveAfter), Spread(g, r => r.WinRate),
                    Spread(g, r => r.KlPerToken), g.Average(r => r.Seconds).ToString("F0", CultureInfo.InvariantCulture),
                ]),
            ],
            results.Select(r => new { r.Method, r.Seed, Accuracy = double.IsNaN(r.Accuracy) ? (double?)null : r.Accuracy, r.PositiveBefore, r.PositiveAfter, r.WinRate, r.KlPerToken, r.Seconds }).ToArray());
    }

    private static string Spread(IEnumerable<Result> results, Func<Result, double> number) => AlgorithmRow.Spread([.. results.Select(number)]);

    /// <summary>The stages tell their evaluations on stdout, which belongs to the table (or JSON) here.</summary>
    private static double Quietly(Func<double> train)
    {
        TextWriter console = System.Console.Out;
        System.Console.SetOut(TextWriter.Null);
        try
        {
            return train();
        }
        finally
        {
            System.Console.SetOut(console);
        }
    }

    /// <returns>Held-out preference accuracy; NaN of a method that has no pairs.</returns>
    private static double Train(string method, string scored, string pairs, string output, ulong seed, int threads, CancellationToken cancellation)
    {
        string config = Path.Combine(Repository.Root(), "configs", $"{method}.yaml");
        string[] set = [$"seed={seed}", $"output={output}", $"threads={threads}"];
        switch (method)
        {
            case "rft":
                RftStage.Run(ConfigBinder.Load<RftConfig>(config, [.. set, $"data=[{scored}]"]), cancellation);
                return double.NaN;
            case "ilql":
                IlqlStage.Run(ConfigBinder.Load<IlqlConfig>(config, [.. set, $"data=[{scored}]"]), cancellation);
                return double.NaN;
            default:
                return PreferenceStage.Run(ConfigBinder.Load<PreferenceConfig>(config, [.. set, $"data=[{pairs}]"]), cancellation).Accuracy;
        }
    }

    /// <summary>Share of (prompt, sample) whose score is higher after than before; equal scores count half.</summary>
    private static double WinRate(Evaluation before, Evaluation after) =>
        before.Rows.Zip(after.Rows, (b, a) => a.Scores.Score > b.Scores.Score ? 1.0 : a.Scores.Score == b.Scores.Score ? 0.5 : 0).Average();
}
