using System.Diagnostics;
using System.Globalization;
using Rlhf.Core;
using Rlhf.Optimization;
using Rlhf.Scoring;
using Rlhf.Trajectories;

namespace Rlhf.Pipeline.Bench;

/// <summary>
/// A PPO run pushed too far, its reward model mended with what fooled it, and the same run again: once against the mended model, once with a
/// reward model that learns on during the run. Each part leaves its files; the same command goes on where it was stopped.
/// </summary>
/// <param name="Folder">Where everything goes.</param>
/// <param name="MendSteps">Optimiser steps of mending.</param>
/// <param name="Set">key=value for the runs and section <c>reward_training</c>.</param>
/// <param name="WithDuring">False: without the run whose reward model learns on.</param>
public sealed record HackingBench(string Folder, int MendSteps, IReadOnlyList<string> Set, bool WithDuring = true)
{
    private const string Shipped = "shipped", Reward = "positive", Alone = "hacking.yaml", WithTraining = "hacking-trained.yaml";

    /// <summary>What mending is done with: name, negatives, ε of the embedding perturbation.</summary>
    private static readonly (string Name, bool Negatives, double Epsilon)[] Ways = [("negatives", true, 0), ("perturbation", false, 1), ("both", true, 1)];

    private string Pushed => Path.Combine(Folder, "pushed");

    /// <summary>What is run, step by step.</summary>
    public IReadOnlyList<string> Plan =>
    [
        $"configs/{Alone}, pushed without a pull to the reference → {Pushed}",
        .. Ways.Select(w => $"the shipped reward model mended with {w.Name} in {MendSteps} steps → {Path.Combine(Folder, "mended-" + w.Name)}"),
        $"configs/{Alone} again, against the model mended with negatives → {Path.Combine(Folder, "again")}",
        .. WithDuring ? (string[])[$"configs/{WithTraining}, whose reward model learns on → {Path.Combine(Folder, "during")}"] : [],
    ];

    /// <summary>Reads the configurations of runs and training and looks for their data.</summary>
    /// <exception cref="BadDataException">The labelled reviews are not there.</exception>
    public (RunConfig Run, RewardModelConfig Training) Check()
    {
        RunConfig config = Load(WithTraining, Set);
        RewardModelConfig training = ConfigBinder.Load<RewardModelConfig>(config.RewardTraining.Config);
        if (training.Data.FirstOrDefault(d => !File.Exists(d)) is not { } missing) return (config, training);
        throw new BadDataException($"{missing} does not exist: 'rlhf bench hacking' replays labelled IMDb reviews and judges on those held out, and they are not part of the repository. Put the data set there, or name another file in {config.RewardTraining.Config}.");
    }

    /// <param name="tell">What is being done.</param>
    /// <param name="cancellation">Inside runs and trainings too.</param>
    /// <exception cref="BadDataException">The labelled reviews are not there.</exception>
    public HackingResult Run(Action<string> tell, CancellationToken cancellation)
    {
        (RunConfig config, RewardModelConfig training) = Check();
        Directory.CreateDirectory(Folder);
        tell("PPO without a pull to the reference");
        Push("pushed", Alone, [], cancellation);
        HackedSamples hacked = HackedSamples.Of(Pushed, config);
        if (hacked.Training.Count == 0 || hacked.HeldOut.Count == 0) throw new BadDataException($"{Pushed}: the run was not pushed far enough: it has no hacked samples to mend with. Raise iterations or optimizer.learning_rate.");
        IReadOnlyList<RewardExample> reviews = Mend(config, training, hacked, tell, cancellation);
        string mended = Path.Combine(Folder, "mended-negatives", "onnx");
        tell("the same run against the mended reward model");
        Push("again", Alone, [$"scoring.rewards.0.model={mended}"], cancellation);
        if (WithDuring)
        {
            tell("the same run with a reward model that learns on");
            Push("during", WithTraining, [], cancellation);
        }

        tell("judging");
        return Judge(config, training, hacked, reviews, cancellation);
    }

    private static RunConfig Load(string name, IEnumerable<string> set) => ConfigBinder.Load<RunConfig>(Path.Combine(Repository.Root(), "configs", name), set);

    private void Push(string name, string config, IReadOnlyList<string> set, CancellationToken cancellation)
    {
        string output = Path.Combine(Folder, name);
        if (File.Exists(Path.Combine(output, "report.html"))) return;
        if (!File.Exists(Path.Combine(output, "manifest.json")))
        {
            // What is set for the reward model's training is no part of the runs without one.
            IEnumerable<string> common = Set.Where(s => config == WithTraining || !s.StartsWith("reward_training.", StringComparison.Ordinal));
            RunCommand.Begin(Load(config, [.. common, .. set, "keep_checkpoints=1", $"output={output}"]), cancellation);
            return;
        }

        using RunDirectory directory = RunDirectory.OpenForWriting(output);
        using RunLoop loop = RunLoop.Resume(Replay.SameThreads(directory.ReadConfig<RunConfig>(), directory.ReadManifest()), directory);
        loop.Run(cancellation);
    }

    /// <summary>Trains the shipped model on in each way that is not there yet; the held-out reviews.</summary>
    private IReadOnlyList<RewardExample> Mend(RunConfig config, RewardModelConfig training, HackedSamples hacked, Action<string> tell, CancellationToken cancellation)
    {
        RewardTrainingConfig section = config.RewardTraining;
        string negatives = Path.Combine(Folder, "negatives.parquet"), shipped = RewardTrainingCheck.Trained(config).Model;
        NegativesFile.Write(negatives, hacked.Training);
        TorchThreads.Apply(config.Threads);
        IReadOnlyList<RewardExample>? reviews = null;
        foreach ((string name, bool withNegatives, double epsilon) in Ways)
        {
            string folder = Path.Combine(Folder, "mended-" + name);
            if (FolderSeal.Problems(Path.Combine(folder, "onnx")).Count == 0 && reviews is not null) continue;
            var options = new RewardContinuationOptions
            {
                Steps = MendSteps, LearningRate = section.LearningRate, BatchSize = section.BatchSize, NegativeShare = section.NegativeShare, AnchorShare = section.AnchorShare,
                AdversarialEpsilon = epsilon, EvaluateRows = section.EvaluateRows,
            };
            using RewardContinuation model = RewardContinuation.Open(training with { NegativePromptColumn = "prompt" }, options, shipped, cancellation);
            reviews = model.HeldOut;
            if (FolderSeal.Problems(Path.Combine(folder, "onnx")).Count == 0) continue;
            tell($"mending with {name}: {MendSteps} steps");
            long started = Stopwatch.GetTimestamp();
            double loss = model.Train(withNegatives ? model.Negatives(negatives, cancellation) : [], withNegatives ? model.Anchors(HackedSamples.Scored(Pushed, 1), cancellation) : [], 0, cancellation);
            double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
            Directory.CreateDirectory(folder);
            File.WriteAllText(Path.Combine(folder, "seconds"), seconds.ToString("R", CultureInfo.InvariantCulture));
            model.Save(Path.Combine(folder, "weights"), Path.Combine(folder, "onnx"), shipped);
            tell(string.Create(CultureInfo.InvariantCulture, $"mended with {name} in {seconds:0} s, mean loss {loss:0.000}, accuracy on {section.EvaluateRows} held-out reviews {model.Quality().Headline:0.000}"));
        }

        return reviews!;
    }

    private HackingResult Judge(RunConfig config, RewardModelConfig training, HackedSamples hacked, IReadOnlyList<RewardExample> reviews, CancellationToken cancellation)
    {
        string Mended(string name) => Path.Combine(Folder, "mended-" + name, "onnx");
        string during = Path.Combine(Folder, "during");
        int last = !WithDuring ? 0 : RewardHistory.CurrentAt(MetricsFile.Read(Path.Combine(during, "metrics.jsonl")), config.Iterations);
        List<(string Name, string Folder)> models = [(Shipped, Path.Combine(Pushed, "rewards", Reward)), .. Ways.Select(w => (w.Name, Mended(w.Name)))];
        if (last > 0) models.Add(("during", Path.Combine(during, "iterations", $"{last:0000}", "reward")));
        string[] runs = WithDuring ? ["pushed", "again", "during"] : ["pushed", "again"];
        ScoredRollout[] before = Rows(Path.Combine(Pushed, "evaluation", "before", "scored.parquet"));
        Dictionary<string, ScoredRollout[]> after = runs.ToDictionary(r => r, r => Rows(Path.Combine(Folder, r, "evaluation", "after", "scored.parquet")));
        ScoredRollout[][] iterations = [.. Enumerable.Range(1, config.Iterations).Select(i => Rows(HackedSamples.Scored(Pushed, i)))];

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
            double[] Score(IEnumerable<int[]> tokens) => [.. reward.ScoreAll([.. tokens], config.Threads, 1024, cancellation).Select(s => 1 / (1 + Math.Exp(-s / reward.Temperature)))];
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
        MetricsFile.Read(Path.Combine(Folder, name, "metrics.jsonl")).Sum(r => r.Values["time/iteration_seconds"]));

    private static ScoredRollout[] Rows(string file) => [.. ScoredFile.Read(file)];
}
