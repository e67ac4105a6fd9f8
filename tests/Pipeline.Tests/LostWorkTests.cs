using Rlhf.Pipeline.Bench;

namespace Rlhf.Pipeline.Tests;

/// <summary>How <c>bench kills</c> counts lost work and tells where a run is.</summary>
public sealed class LostWorkTests
{
    /// <summary>SIGKILL after minibatch 3 of iteration 2: the next process begins at 1, three are lost. Ctrl-C after 2 goes on at 3: none is.</summary>
    [Test]
    public void MinibatchesThatAreTrainedAgainAreCounted()
    {
        var lost = new LostWork();
        lost.Add(Told("iteration 2: generation", "iteration 2: scoring", "iteration 2: optimization", "iteration 2: minibatch 1 of 4", "iteration 2: minibatch 2 of 4", "iteration 2: minibatch 3 of 4"), "KILL");
        lost.Add(Told(), "TERM"); // before it trained: nothing of its own to lose
        lost.Add(Told("iteration 2: optimization", "iteration 2: minibatch 1 of 4", "iteration 2: minibatch 2 of 4"), "INT");
        lost.Add(Told("iteration 2: optimization", "iteration 2: minibatch 3 of 4", "iteration 2: minibatch 4 of 4", "iteration 2: export", "iteration 3: generation"), "");
        Assert.That(lost.Lost, Is.EqualTo(new[] { new LostBySignal("INT", 1, 1, 0, 0), new LostBySignal("KILL", 1, 1, 3, 0), new LostBySignal("TERM", 1, 0, 0, 0) }));
    }

    /// <summary>An iteration that was trained, and half of the next: 4 and 2 minibatches; its rollouts were whole and are drawn again.</summary>
    [Test]
    public void FinishedStagesThatAreMadeAgainAreCounted()
    {
        var lost = new LostWork();
        lost.Add(Told("iteration 1: generation", "iteration 1: scoring", "iteration 1: optimization", "iteration 1: minibatch 4 of 4", "iteration 2: generation", "iteration 2: scoring", "iteration 2: optimization", "iteration 2: minibatch 2 of 4"), "KILL");
        lost.Add(Told("iteration 1: optimization", "iteration 1: minibatch 1 of 4", "iteration 2: generation", "iteration 2: scoring"), "");
        Assert.That(lost.Lost.Single(), Is.EqualTo(new LostBySignal("KILL", 1, 1, 6, 2)));
    }

    [TestCase(3, KillPlan.Optimization, 3, 3, true)]
    [TestCase(3, 1, 3, 3, true)] // drawn by an earlier process: training is the first that is seen
    [TestCase(3, KillPlan.Optimization, 3, 2, false)]
    [TestCase(3, KillPlan.Optimization, 2, KillPlan.CleanUp, false)]
    [TestCase(3, KillPlan.Optimization, 3, KillPlan.CleanUp, false)]
    [TestCase(3, KillPlan.CleanUp, 4, 1, false)] // beside the next iteration
    [TestCase(3, KillPlan.CleanUp, 4, KillPlan.Optimization, true)]
    public void ATargetIsReached(int iteration, int stage, int seenIteration, int seenStage, bool expected) =>
        Assert.That(KillPlan.IsReached(new KillTarget(iteration, stage, 0), seenIteration, seenStage), Is.EqualTo(expected));

    [Test]
    public void APlanIsAFunctionOfItsSeed()
    {
        IReadOnlyList<KillTarget> plan = KillPlan.Of(1, 40, 6);
        Assert.That(plan, Is.EqualTo(KillPlan.Of(1, 40, 6)).And.Not.EqualTo(KillPlan.Of(2, 40, 6)));
        Assert.That(plan.Select(t => t.Stage).Distinct().Order(), Is.EqualTo(Enumerable.Range(0, KillPlan.Stages.Count)), "every stage");
        Assert.That(plan.Count(t => t.Stage == KillPlan.Optimization), Is.EqualTo(12));
    }

    private static RunWatch Told(params string[] lines)
    {
        var watch = new RunWatch();
        foreach (string line in lines) watch.Take("debug: " + line);
        return watch;
    }
}
