using System.Globalization;
using Rlhf.Core;
using Rlhf.Models;
using Rlhf.Optimization;
using Rlhf.Scoring;
using Rlhf.Trajectories;
using TorchSharp;

namespace Rlhf.Pipeline.Bench;

/// <summary>
/// What a process that was stopped leaves for the next one. Folders with a seal are sealed again after the damage: a seal says that bytes are
/// as they were, not who wrote them, and what is behind it must stand by itself.
/// </summary>
internal static class FuzzUnfinished
{
    private const int Window = 2;

    /// <summary>Writes the corpus, beside rollouts and their scores.</summary>
    public static void Write(string folder, RunConfig config)
    {
        string At(string name) => Path.Combine(folder, name);
        Directory.CreateDirectory(At("stages"));
        UnfinishedWork work = UnfinishedWork.Open(At("stages"), folder);
        work.Add(At("rollouts.parquet"), "key", 1.5);
        work.Add(At("scored.parquet"), "key", 0.5);

        using (PolicySession session = PolicySession.Open(config, null)) Iterate(folder, session, stopAfter: 1);
        Training(folder, config).Write(new TrainingPosition(3, 0.5, 100, 1, 0.1));

        using var stop = new CancellationTokenSource();
        try
        {
            Score(folder, _ => stop.Cancel(), stop.Token);
        }
        catch (OperationCanceledException)
        {
            File.Move(At("again.parquet.scores.partial"), At("scores.partial")); // finished windows
        }
    }

    public static IEnumerable<FuzzTarget> Targets(string folder, RunConfig config)
    {
        string At(string name) => Path.Combine(folder, name);
        yield return new("stages.json", ["stages/stages.json"], () =>
        {
            UnfinishedWork work = UnfinishedWork.Open(At("stages"), folder);
            return string.Join('\n', work.Files.ToArray().Select(file => $"{file} {work.Find(Path.Combine(folder, file), "key")}"));
        });
        yield return new("position.json", ["position/position.json", "position/state.json", "position/weights.safetensors"], () =>
        {
            FolderSeal.Write(At("position"));
            using PolicySession session = PolicySession.Open(config, null);
            Iterate(folder, session, stopAfter: int.MaxValue);
            return session.Policy.Parameters.Hash();
        });
        yield return new("training checkpoint", ["training/fuzz.checkpoint/000003/state.json", "training/fuzz.checkpoint/000003/weights.safetensors", "training/fuzz.checkpoint/000003/config.yaml"], () =>
        {
            FolderSeal.Write(At("training/fuzz.checkpoint/000003"));
            return $"{Training(folder, config).Read()}";
        });
        yield return new("scores.partial", ["scores.partial"], () =>
        {
            File.Copy(At("scores.partial"), At("again.parquet.scores.partial"), overwrite: true);
            Score(folder, null, CancellationToken.None);
            return string.Join(' ', ScoredFile.Read(At("again.parquet")).Select(r => r.Scores.Score?.ToString("R", CultureInfo.InvariantCulture)));
        }, Sealed: true);
    }

    private static void Iterate(string folder, PolicySession session, int stopAfter)
    {
        string scored = Path.Combine(folder, "scored.parquet");
        var keeper = new IterationKeeper(Path.Combine(folder, "position"), 1, "data", default, new PolicySnapshot());
        using var stop = new CancellationTokenSource();
        try
        {
            session.Iterate(
                scored, [.. ScoredFile.Read(scored)], Path.Combine(folder, "trajectories.parquet"), (done, _) =>
                {
                    if (done >= stopAfter) stop.Cancel();
                }, stop.Token, null, keeper);
        }
        catch (OperationCanceledException) when (stopAfter < int.MaxValue)
        {
            return; // and left the checkpoint
        }
    }

    private static TrainingCheckpoint Training(string folder, RunConfig config)
    {
        var checkpoint = TrainingCheckpoint.Of("fuzz", new SftConfig { Output = Path.Combine(folder, "training"), Model = config.Policy, Data = [Path.Combine(folder, "prompts.txt")] }, [config.Policy]);
        checkpoint.Track("model", torch.zeros(16));
        double[] numbers = [1, 2];
        checkpoint.Track("numbers", () => numbers, n => numbers = [n[0], n[1]]);
        return checkpoint;
    }

    private static void Score(string folder, Action<ScoringProgress>? progress, CancellationToken cancellation)
    {
        using var scoring = new ScoringStage([new RewardSourceConfig { Name = "length", Rule = "length:unit=tokens,target=6,width=12" }], "", 1);
        scoring.Run(new ScoringJob { Input = Path.Combine(folder, "rollouts.parquet"), Output = Path.Combine(folder, "again.parquet"), WindowRows = Window }, progress, cancellation);
    }
}
