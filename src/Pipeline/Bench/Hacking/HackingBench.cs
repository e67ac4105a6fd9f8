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
    internal const string Reward = "positive";

    private const string Alone = "hacking.yaml", WithTraining = "hacking-trained.yaml";

    /// <summary>What mending is done with: name, negatives, ε of the embedding perturbation.</summary>
    internal static readonly (string Name, bool Negatives, double Epsilon)[] Ways = [("negatives", true, 0), ("perturbation", false, 1), ("both", true, 1)];

    internal string Pushed => Path.Combine(Folder, "pushed");

    /// <summary>The reward model mended in a way, as ONNX.</summary>
    internal string Mended(string way) => Path.Combine(Folder, "mended-" + way, "onnx");

    /// <summary>What <see cref="Run"/> does, step by step, with what lies in the folder now.</summary>
    public IReadOnlyList<string> Plan =>
    [
        $"{Verb("pushed")} configs/{Alone}, pushed without a pull to the reference → {Pushed}",
        .. Ways.Select(w => $"{(IsMended(w.Name) ? "have" : "would make")} the shipped reward model mended with {w.Name} in {MendSteps} steps → {Mended(w.Name)}"),
        $"{Verb("again")} configs/{Alone} again, against the model mended with negatives → {Path.Combine(Folder, "again")}",
        .. WithDuring ? (string[])[$"{Verb("during")} configs/{WithTraining}, whose reward model learns on → {Path.Combine(Folder, "during")}"] : [],
        "would judge all runs with all reward models",
    ];

    private string Verb(string run) => IsRun(run) ? "have" : IsBegun(run) ? "would go on with" : "would run";

    private bool IsRun(string name) => File.Exists(Path.Combine(Folder, name, "report.html"));

    private bool IsBegun(string name) => File.Exists(Path.Combine(Folder, name, "manifest.json"));

    private bool IsMended(string way) => FolderSeal.Problems(Mended(way)).Count == 0;

    /// <summary>Reads the configurations of runs and training and looks for their data.</summary>
    /// <exception cref="BadDataException">The labelled reviews are not there.</exception>
    public (RunConfig Run, RewardModelConfig Training) Check()
    {
        RunConfig config = Load(WithTraining, Set);
        RewardModelConfig training = ConfigBinder.Load<RewardModelConfig>(config.RewardTraining.Config);
        if (training.Data.FirstOrDefault(d => !File.Exists(d)) is not { } missing) return (config, training);
        throw new BadDataException($"{missing} does not exist: 'rlhf bench hacking' replays labelled IMDb reviews and judges on those held out, and they are not part of the repository. Put the data set there (data/README.md), or name another file in {config.RewardTraining.Config}.");
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
        tell("the same run against the mended reward model");
        Push("again", Alone, [$"scoring.rewards.0.model={Mended(Ways[0].Name)}"], cancellation);
        if (WithDuring)
        {
            tell("the same run with a reward model that learns on");
            Push("during", WithTraining, [], cancellation);
        }

        tell("judging");
        return new HackingJudge(this, config, training).Judge(hacked, reviews, cancellation);
    }

    private static RunConfig Load(string name, IEnumerable<string> set) => ConfigBinder.Load<RunConfig>(Path.Combine(Repository.Root(), "configs", name), set);

    private void Push(string name, string config, IReadOnlyList<string> set, CancellationToken cancellation)
    {
        string output = Path.Combine(Folder, name);
        if (IsRun(name)) return;
        if (!IsBegun(name))
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
            if (IsMended(name) && reviews is not null) continue;
            var options = new RewardContinuationOptions
            {
                Steps = MendSteps, LearningRate = section.LearningRate, BatchSize = section.BatchSize, NegativeShare = section.NegativeShare, AnchorShare = section.AnchorShare,
                AdversarialEpsilon = epsilon, EvaluateRows = section.EvaluateRows,
            };
            using RewardContinuation model = RewardContinuation.Open(training with { NegativePromptColumn = "prompt" }, options, shipped, cancellation);
            reviews = model.HeldOut;
            if (IsMended(name)) continue;
            tell($"mending with {name}: {MendSteps} steps");
            long started = Stopwatch.GetTimestamp();
            double loss = model.Train(withNegatives ? model.Negatives(negatives, cancellation) : [], withNegatives ? model.Anchors(HackedSamples.Scored(Pushed, 1), cancellation) : [], 0, cancellation);
            double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
            Directory.CreateDirectory(folder);
            File.WriteAllText(Path.Combine(folder, "seconds"), seconds.ToString("R", CultureInfo.InvariantCulture));
            model.Save(Path.Combine(folder, "weights"), Mended(name), shipped);
            tell(string.Create(CultureInfo.InvariantCulture, $"mended with {name} in {seconds:0} s, mean loss {loss:0.000}, accuracy on {section.EvaluateRows} held-out reviews {model.Quality().Headline:0.000}"));
        }

        return reviews!;
    }
}
