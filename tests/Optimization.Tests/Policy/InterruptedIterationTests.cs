using NUnit.Framework;
using Rlhf.Algorithms;
using Rlhf.Core;

namespace Rlhf.Optimization.Tests;

/// <summary>An iteration that is stopped between minibatches and goes on in another process gives the bits of one that was left alone.</summary>
public sealed class InterruptedIterationTests
{
    private const int Responses = 10;
    private string _folder = "";

    [SetUp]
    public void Make() => _folder = Directory.CreateTempSubdirectory("rlhf-interrupted-").FullName;

    [TearDown]
    public void Remove() => Directory.Delete(_folder, recursive: true);

    private static IEnumerable<TestCaseData> Methods()
    {
        static TestCaseData Case(string name, Func<MethodConfig, MethodConfig> method) => new TestCaseData(method).SetArgDisplayNames(name);
        yield return Case("ppo, shared critic, running moments, adaptive KL", m => m with { KlTarget = 1, RewardNormalization = RewardNormalization.Running });
        yield return Case("separate critic and its warm-up", m => m with { Critic = Critic.Separate, CriticWarmupIterations = 1 });
        yield return Case("ppo-ptx", m => m with { PtxCoefficient = 0.5 });
        yield return Case("penalty whose KL is measured after the update", m => m with { Name = MethodName.PpoPenalty, PenaltyCoefficient = 0.2, PenaltyTarget = 0.01 });
        yield return Case("exact KL to the reference", m => m with { KlEstimator = KlEstimate.FullVocabulary });
        yield return Case("remax with greedy scores", m => m with { Name = MethodName.Remax, Critic = Critic.None, Baseline = Baseline.Greedy });
        yield return Case("grpo with corrected sampler", m => m with { Name = MethodName.Grpo, Critic = Critic.None, KlPlace = KlPlace.Loss, Correction = Correction.Truncate });
        yield return Case("early stop by target_kl in the second of three epochs", m => m with { Epochs = 3, TargetKl = TargetOf(m with { Epochs = 3 }) });
        yield return Case("ratio guard", m => m with { RatioGuard = 1 });
    }

    [TestCaseSource(nameof(Methods))]
    public void GoesOnWithTheSameBits(Func<MethodConfig, MethodConfig> method)
    {
        RunConfig run = PolicyFixture.Configuration(m => method(m with { MinibatchSize = 4 }));
        Outcome whole = Train(run, null, -1)!;
        // After no minibatch at all, within an epoch, between two epochs, and before the last one.
        int[] stops = [0, 1, 3, run.Method.Epochs * 3 - 1];
        foreach (int stop in stops)
        {
            string folder = Path.Combine(_folder, $"stop-{stop}");
            if (Train(run, folder, stop) is { } ended)
            {
                Assert.That(whole.Metrics["policy/early_stop"], Is.EqualTo(1), $"only an early stop ends before minibatch {stop}");
                ended.AssertEqual(whole, $"not stopped at {stop}");
                continue;
            }

            Assert.That(FolderSeal.Problems(folder), Is.Empty);
            Train(run, folder, -1)!.AssertEqual(whole, $"stopped after minibatch {stop}");
        }
    }

    /// <summary>Stopped, gone on, and stopped again: the second checkpoint takes the first one's place.</summary>
    [Test]
    public void MayBeStoppedAgainAndAgain()
    {
        RunConfig run = PolicyFixture.Configuration(m => m with { MinibatchSize = 4 });
        string folder = Path.Combine(_folder, "again");
        foreach (int stop in (int[])[1, 2, 4, 5]) Assert.That(Train(run, folder, stop), Is.Null);
        Train(run, folder, -1)!.AssertEqual(Train(run, null, -1)!, "stopped four times");
    }

    /// <summary>What follows the last minibatch in the iteration (a reward model that learns on) was interrupted: nothing is trained again.</summary>
    [TestCase(0)]
    [TestCase(0.0001)] // ended early, by target_kl
    public void GoesOnAfterTheLastMinibatch(double targetKl)
    {
        RunConfig run = PolicyFixture.Configuration(m => m with { Name = MethodName.PpoPenalty, PenaltyCoefficient = 0.2, PenaltyTarget = 0.01, MinibatchSize = 4, TargetKl = targetKl });
        string folder = Path.Combine(_folder, "ended");
        Outcome whole = Train(run, folder, -1, then: (at, keeper) => keeper.KeepEnded(at.Policy, at.CriticModel, at.Trainer))!;
        Outcome again = Train(run, folder, -1)!;
        again.AssertEqual(whole, "gone on after the end");
        Assert.That((whole.Metrics["policy/early_stop"] == 1, whole.Steps > 0, again.Steps), Is.EqualTo((targetKl > 0, true, 0)));
    }

    /// <summary>An iteration that had stepped back after a numerical failure counts on from there, with its lowered rate.</summary>
    [Test]
    public void StepsBackAreKept()
    {
        RunConfig run = PolicyFixture.Configuration(m => m with { MinibatchSize = 4 });
        string folder = Path.Combine(_folder, "steps-back");
        using (var at = new PolicyFixture(run, Responses))
        {
            at.Trainer.State = at.Trainer.State with { LearningRateFactor = 0.25 };
            var keeper = new IterationKeeper(folder, 1, "data", default, new PolicySnapshot()) { StepsBack = 2 };
            using var stop = new CancellationTokenSource();
            Assert.That(() => at.Trainer.Train(at.Batch, 1, (_, _) => stop.Cancel(), keeper, stop.Token), Throws.InstanceOf<OperationCanceledException>());
        }

        using var next = new PolicyFixture(run, Responses);
        var again = new IterationKeeper(folder, 1, "data", default, new PolicySnapshot());
        Assert.That(again.Restore(next.Policy, next.CriticModel, next.Trainer, next.Batch)!.Done, Is.EqualTo(1));
        Assert.That((again.StepsBack, next.Trainer.State.LearningRateFactor), Is.EqualTo((2, 0.25)));
    }

    [TestCase("weights.safetensors")]
    [TestCase("position.json")]
    [TestCase("files.json")]
    public void ADamagedCheckpointFallsBackToTheStartAndSaysSo(string file)
    {
        RunConfig run = PolicyFixture.Configuration(m => m with { MinibatchSize = 4 });
        string folder = Path.Combine(_folder, "damaged"), path = Path.Combine(folder, file);
        Assert.That(Train(run, folder, 3), Is.Null);
        byte[] bytes = File.ReadAllBytes(path);
        bytes[bytes.Length / 2] ^= 4;
        File.WriteAllBytes(path, bytes);
        List<string> warnings = Warnings(() => Train(run, folder, -1)!.AssertEqual(Train(run, null, -1)!, "made again"));
        Assert.That(warnings.Single(), Does.StartWith("the checkpoint within iteration 1 is damaged (").And.EndsWith("; the iteration is trained again from its start."));
    }

    [Test]
    public void ACheckpointOfOtherResponsesIsNotTaken()
    {
        RunConfig run = PolicyFixture.Configuration(m => m with { MinibatchSize = 4 });
        string folder = Path.Combine(_folder, "stale");
        Assert.That(Train(run, folder, 3), Is.Null);
        List<string> warnings = Warnings(() => Train(run, folder, -1, data: "others")!.AssertEqual(Train(run, null, -1)!, "made again"));
        Assert.That(warnings.Single(), Does.Contain("belongs to other responses"));
    }

    /// <summary>checkpoint_minutes: without any interruption, and used by a process that was killed.</summary>
    [Test]
    public void CheckpointsAreAlsoWrittenByTheClock()
    {
        RunConfig run = PolicyFixture.Configuration(m => m with { MinibatchSize = 4 });
        string folder = Path.Combine(_folder, "clock");
        Outcome whole = Train(run, folder, -1, every: TimeSpan.FromTicks(1))!;
        Assert.That(File.ReadAllText(Path.Combine(folder, "position.json")), Does.Contain("\"Step\": 2").And.Contain("\"Epoch\": 1"), "before the last minibatch");
        Train(run, folder, -1)!.AssertEqual(whole, "gone on from the last one");
        Assert.That(new DescentPosition { Epoch = 1, Step = 2, Steps = 3, Epochs = 2 }.ToString(), Is.EqualTo("after minibatch 5 of 6"));
    }

    /// <summary>Trains in a "process" of its own; null when it was stopped, which leaves a checkpoint.</summary>
    private static Outcome? Train(RunConfig run, string? folder, int stopAfter, TimeSpan every = default, string data = "data", Action<PolicyFixture, IterationKeeper>? then = null)
    {
        using var at = new PolicyFixture(run, Responses);
        using var stop = new CancellationTokenSource();
        if (stopAfter == 0) stop.Cancel();
        IterationKeeper? keeper = folder is null ? null : new IterationKeeper(folder, 1, data, every, new PolicySnapshot());
        int steps = 0;
        try
        {
            PolicyMetrics metrics = at.Trainer.Train(at.Batch, 1, (done, _) =>
            {
                steps++;
                if (done == stopAfter) stop.Cancel();
            }, keeper, stop.Token);
            if (keeper is not null) then?.Invoke(at, keeper);
            string checkpoint = Path.Combine(Directory.CreateTempSubdirectory("rlhf-outcome-").FullName, "checkpoint");
            PolicyCheckpoint.Save(checkpoint, at.Policy, at.CriticModel, at.Trainer);
            var outcome = new Outcome(Sha256.OfFolder(checkpoint), metrics.ToDictionary(), at.Trainer.State, [.. at.Batch.OldLogProbs, .. at.Batch.OldValues, .. at.Batch.Advantages, .. at.Batch.Returns], steps);
            Directory.Delete(Path.GetDirectoryName(checkpoint)!, recursive: true);
            return outcome;
        }
        catch (OperationCanceledException)
        {
            Assert.That(keeper?.Kept?.Done, Is.EqualTo(stopAfter), "the running minibatch is finished, and no other");
            return null;
        }
    }

    private static double TargetOf(MethodConfig method)
    {
        // Between the first epoch's KL and the second's, so that the second one is the last.
        double Kl(int epochs) => Train(PolicyFixture.Configuration(_ => method with { MinibatchSize = 4, Epochs = epochs, EntropyCoefficient = 0.01, MicroBatchTokens = 64, KlCoefficient = 0.1 }), null, -1)!.Metrics["policy/approx_kl"];
        double first = Kl(1), both = Kl(2);
        return (first + ((2 * both) - first)) / 2;
    }

    private static List<string> Warnings(Action action)
    {
        var warnings = new List<string>();
        Log.WarningTold += warnings.Add;
        try
        {
            action();
        }
        finally
        {
            Log.WarningTold -= warnings.Add;
        }

        return warnings;
    }

    private sealed record Outcome(string Checkpoint, Dictionary<string, double> Metrics, PolicyState State, double[] Columns, int Steps)
    {
        public void AssertEqual(Outcome expected, string how) => Assert.Multiple(() =>
        {
            Assert.That(Checkpoint, Is.EqualTo(expected.Checkpoint), $"weights, moments and state, {how}");
            Assert.That(Metrics, Is.EqualTo(expected.Metrics), how);
            Assert.That(State, Is.EqualTo(expected.State), how);
            Assert.That(Columns, Is.EqualTo(expected.Columns), how);
        });
    }
}
