using System.Globalization;
using Rlhf.Core;
using Rlhf.Optimization;
using Rlhf.Scoring;
using Rlhf.Trajectories;

namespace Rlhf.Pipeline.Bench;

/// <summary>Holds all reward models of <see cref="HackingBench"/> against all its runs and against labelled reviews.</summary>
/// <param name="bench">Whose files are read.</param>
/// <param name="config">Of the runs.</param>
/// <param name="training">Of the reward model.</param>
internal sealed class HackingJudge(HackingBench bench, RunConfig config, RewardModelConfig training)
{
    public HackingResult Judge(HackedSamples hacked, IReadOnlyList<RewardExample> reviews, CancellationToken cancellation)
    {
        string during = Path.Combine(bench.Folder, "during");
        int last = !bench.WithDuring ? 0 : RewardHistory.CurrentAt(MetricsFile.Read(Path.Combine(during, "metrics.jsonl")), config.Iterations);
        List<(string Name, string Folder)> models = [("shipped", Path.Combine(bench.Pushed, "rewards", HackingBench.Reward)), .. HackingBench.Ways.Select(w => (w.Name, bench.Mended(w.Name)))];
        if (last > 0) models.Add(("during", Path.Combine(during, "iterations", $"{last:0000}", "reward")));
        string[] runs = bench.WithDuring ? ["pushed", "again", "during"] : ["pushed", "again"];
        ScoredRollout[] before = Rows(Path.Combine(bench.Pushed, "evaluation", "before", "scored.parquet"));
        Dictionary<string, ScoredRollout[]> after = runs.ToDictionary(r => r, r => Rows(Path.Combine(bench.Folder, r, "evaluation", "after", "scored.parquet")));
        ScoredRollout[][] iterations = [.. Enumerable.Range(1, config.Iterations).Select(i => Rows(HackedSamples.Scored(bench.Pushed, i)))];

        var judged = new List<MendedModel>();
        var byRun = runs.ToDictionary(r => r, _ => new Dictionary<string, double>());
        var byIteration = iterations.Select(_ => new Dictionary<string, double>()).ToArray();
        List<(string Run, string Prompt, string Response)> texts =
        [
            .. hacked.HeldOut.GroupBy(n => n.PromptId).Select(g => g.Last()).TakeLast(3).Select(n => ("pushed", n.Prompt, n.Response)),
            .. runs.Skip(1).SelectMany(r => after[r].Where(x => x.Rollout.SampleId == 0).Take(2).Select(x => (r, x.Rollout.Prompt, x.Rollout.Response))),
        ];
        var byText = texts.Select(_ => new Dictionary<string, double>()).ToArray();
        foreach ((string name, string folder) in models)
        {
            using var reward = new RewardModel(folder, threads: 1);
            double[] Score(IEnumerable<int[]> tokens) => [.. reward.ScoreAll([.. tokens], config.Threads, 1024, cancellation).Select(s => Rlhf.Algorithms.Logistic.Sigmoid(s / reward.Temperature))];
            double Mean(IEnumerable<ScoredRollout> rows) => Score(rows.Select(r => reward.Encode(r.Rollout.Prompt + r.Rollout.Response))).Average();
            int length = Math.Min(training.MaxLength, reward.MaxLength);
            double[] p = Score(reviews.Select(e => RewardModel.Cut(e.Texts[0], length))), labels = [.. reviews.Select(e => e.Label)];
            string seconds = Path.Combine(folder, "..", "seconds");
            judged.Add(new MendedModel(
                name, Score(hacked.HeldOut.Select(n => reward.Encode(n.Prompt + n.Response))).Average(), Mean(after["pushed"]), Mean(before),
                p.Where((_, i) => labels[i] > 0.5).Average(), p.Where((_, i) => labels[i] < 0.5).Average(), Estimate.Share([.. p.Zip(labels, (x, y) => x > 0.5 == y > 0.5 ? 1.0 : 0)]),
                RewardQuality.ExpectedCalibrationError(p, labels), File.Exists(seconds) ? double.Parse(File.ReadAllText(seconds), CultureInfo.InvariantCulture) : 0));
            foreach (string run in runs) byRun[run][name] = Mean(after[run]);
            for (int i = 0; i < iterations.Length; i++) byIteration[i][name] = Mean(iterations[i]);
            double[] ofTexts = Score(texts.Select(t => reward.Encode(t.Prompt + t.Response)));
            for (int i = 0; i < ofTexts.Length; i++) byText[i][name] = ofTexts[i];
        }

        return new HackingResult(
            hacked.Training.Count, hacked.HeldOut.Count, judged,
            [.. iterations.Select((rows, i) => new PushedIteration(i + 1, RolloutStatistics.KlPerToken(rows), byIteration[i]))],
            [.. runs.Select(r => RunOf(r, after[r], byRun[r]))],
            [.. texts.Select((t, i) => new HackedText(t.Run, t.Prompt, t.Response, byText[i]))]);
    }

    private PushedRun RunOf(string name, ScoredRollout[] rows, IReadOnlyDictionary<string, double> by) => new(
        name, by, RolloutStatistics.KlPerToken(rows), RolloutStatistics.Distinct(rows.Select(r => r.Rollout.ResponseTokens), 2), rows.Average(r => r.Rollout.ResponseTokens.Length),
        rows.Where(r => r.Scores.ReferenceLogprobs!.Length > 0).Average(r => r.Scores.ReferenceLogprobs!.Average(p => (double)p)),
        MetricsFile.Read(Path.Combine(bench.Folder, name, "metrics.jsonl")).Sum(r => r.Values["time/iteration_seconds"]));

    private static ScoredRollout[] Rows(string file) => [.. ScoredFile.Read(file)];
}
