using NUnit.Framework;
using Rlhf.Core;

namespace Rlhf.Optimization.Tests;

public sealed class PolicyCheckpointTests : FolderTest
{
    private const string Weights = "weights.safetensors", State = "state.json";

    private static RunConfig Run(Critic critic) => PolicyFixture.Configuration(ppo => ppo with
    {
        Critic = critic, RewardNormalization = RewardNormalization.Running, KlTarget = 3, KlHorizon = 100,
    });

    [Test]
    public void ASavedAndLoadedRunIsTheUninterruptedOneToTheBit([Values(Critic.Shared, Critic.Separate)] Critic critic)
    {
        using (var whole = new PolicyFixture(Run(critic)))
        {
            whole.Train(1);
            whole.Trainer.Train(PolicyFixture.NewBatch(10, seed: 5), 2);
            PolicyCheckpoint.Save(At("whole"), whole.Policy, whole.CriticModel, whole.Trainer);
        }

        using (var first = new PolicyFixture(Run(critic)))
        {
            first.Train(1);
            PolicyCheckpoint.Save(At("half"), first.Policy, first.CriticModel, first.Trainer);
        }

        using (var second = new PolicyFixture(Run(critic)))
        {
            PolicyCheckpoint.Load(At("half"), second.Policy, second.CriticModel, second.Trainer);
            Assert.That(second.Trainer.State.Iteration, Is.EqualTo(1));
            second.Trainer.Train(PolicyFixture.NewBatch(10, seed: 5), 2);
            PolicyCheckpoint.Save(At("resumed"), second.Policy, second.CriticModel, second.Trainer);
        }

        Assert.Multiple(() =>
        {
            Assert.That(File.ReadAllBytes(Path.Combine(At("resumed"), Weights)).AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(At("whole"), Weights))), "weights and moments");
            Assert.That(File.ReadAllText(Path.Combine(At("resumed"), State)), Is.EqualTo(File.ReadAllText(Path.Combine(At("whole"), State))));
            Assert.That(File.ReadAllText(Path.Combine(At("whole"), State)), Is.Not.EqualTo(File.ReadAllText(Path.Combine(At("half"), State))));
        });
    }

    /// <summary>What methods carry besides weights: the moving average, and β of KL(π_old‖π).</summary>
    [TestCase(MethodName.Reinforce)]
    [TestCase(MethodName.PpoPenalty)]
    [TestCase(MethodName.OffPolicy)]
    public void TheStateOfAMethodGoesOnToTheBit(MethodName name)
    {
        RunConfig run = PolicyFixture.Configuration(_ => MethodDefaults.Of(name) with { MinibatchSize = 5 });
        PolicyState state;
        double[] weights;
        using (var whole = new PolicyFixture(run))
        {
            whole.Train(1);
            PolicyCheckpoint.Save(At("half"), whole.Policy, null, whole.Trainer);
            whole.Trainer.Train(PolicyFixture.NewBatch(10, seed: 5), 2);
            (state, weights) = (whole.Trainer.State, Tiny.Doubles(whole.Policy.Parameters.Flat));
        }

        using var resumed = new PolicyFixture(run);
        PolicyCheckpoint.Load(At("half"), resumed.Policy, null, resumed.Trainer);
        Assert.That(resumed.Trainer.State, Is.Not.EqualTo(PolicyState.Initial(run.Method)));
        resumed.Trainer.Train(PolicyFixture.NewBatch(10, seed: 5), 2);
        Assert.Multiple(() =>
        {
            Assert.That(resumed.Trainer.State, Is.EqualTo(state));
            Assert.That(Tiny.Doubles(resumed.Policy.Parameters.Flat), Is.EqualTo(weights));
        });
    }

    [Test]
    public void DamageIsFound()
    {
        using var at = new PolicyFixture(Run(Critic.Shared));
        PolicyCheckpoint.Save(At("c"), at.Policy, null, at.Trainer);
        string weights = Path.Combine(At("c"), Weights), state = Path.Combine(At("c"), State), text = File.ReadAllText(state);
        byte[] bytes = File.ReadAllBytes(weights);
        bytes[^100] ^= 1;
        File.WriteAllBytes(weights, bytes);
        string Message() => Assert.Throws<BadModelException>(() => PolicyCheckpoint.Load(At("c"), at.Policy, null, at.Trainer))!.Message;
        Assert.That(Message(), Does.Contain(weights).And.Contain("SHA-256").And.Contain("older checkpoint"), "one bit");
        File.WriteAllBytes(weights, bytes[..^8]);
        Assert.That(Message(), Does.Contain("missing or damaged"), "cut short");
        File.Delete(weights);
        Assert.That(Message(), Does.Contain("missing or damaged"), "no weights");
        File.WriteAllText(state, text[..20]);
        Assert.That(Message(), Does.Contain(state).And.Contain("not a checkpoint"), "half a state");
        File.WriteAllText(state, "null");
        Assert.That(Message(), Does.Contain("not a checkpoint"), "no state");
        Directory.Delete(At("c"), recursive: true);
        Assert.That(Message(), Does.Contain("not a checkpoint"), "no folder");
    }

    /// <summary>A checkpoint of a run with a separate critic has a policy without value head.</summary>
    [Test]
    public void AnotherShapeIsRefused()
    {
        using var shared = new PolicyFixture(Run(Critic.Shared));
        using var separate = new PolicyFixture(Run(Critic.Separate));
        PolicyCheckpoint.Save(At("c"), separate.Policy, separate.CriticModel, separate.Trainer);
        Assert.That(() => PolicyCheckpoint.Load(At("c"), shared.Policy, null, shared.Trainer), Throws.TypeOf<BadModelException>());
    }
}
