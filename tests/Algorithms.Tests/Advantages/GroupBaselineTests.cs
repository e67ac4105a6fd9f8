namespace Rlhf.Algorithms.Tests;

[TestFixture]
public sealed class GroupBaselineTests
{
    private static readonly int[] OneGroup = [7, 7, 7, 7];
    private static readonly double[] Rewards = [1, 2, 3, 6];

    [Test]
    public void LeaveOneOutBaselinesOfNemoRl()
    {
        double[] baselines = new double[8];
        Rloo.Baselines([0, 0, 1, 0, 0, 1, 1, 1], [1, 0, 2, -3, 5, 7, -1, 0], [true, true, true, true, true, true, true, false], baselines);
        Check.Close(baselines, [2.0 / 3, 1, 3, 2, -2.0 / 3, 0.5, 4.5, 4], Tolerance.SameFormula);
    }

    [Test]
    public void GroupAdvantagesOfPublishedRewards()
    {
        // Mean 3, sample std √(14/3) = 2.160247.
        double[] a = new double[4];
        Grpo.Advantages(OneGroup, Rewards, [], a);
        Check.Close(a, [-0.925820, -0.462910, 0, 1.388730], 1e-6);
        Rloo.Advantages(OneGroup, Rewards, [], a);
        Check.Close(a, [-2.666667, -1.333333, 0, 4], 1e-6);
        Grpo.CentredAdvantages(OneGroup, Rewards, [], a);
        Assert.That(a, Is.EqualTo(new double[] { -2, -1, 0, 3 }));
    }

    [Test]
    public void RlooIsScaledDrGrpo()
    {
        // r_i − Σ_{j≠i} r_j/(k − 1) = k/(k − 1) (r_i − mean).
        TestRandom random = new(131);
        int[] groups = [.. Enumerable.Range(0, 24).Select(i => i * 7 % 6)];
        double[] rewards = random.Normals(24), rloo = new double[24], centred = new double[24];
        Rloo.Advantages(groups, rewards, [], rloo);
        Grpo.CentredAdvantages(groups, rewards, [], centred);
        Check.Close(rloo, [.. centred.Select(x => x * 4 / 3)], Tolerance.SameFormula);
    }

    [Test]
    public void InvalidRewardsAreNotRead()
    {
        bool[] valid = [true, true, false, true];
        double[] a = new double[4], b = new double[4];
        foreach (Action<double[], double[]> compute in (Action<double[], double[]>[])
        [
            (r, x) => Grpo.Advantages(OneGroup, r, valid, x),
            (r, x) => Grpo.CentredAdvantages(OneGroup, r, valid, x),
            (r, x) => Rloo.Advantages(OneGroup, r, valid, x),
        ])
        {
            compute([1, 2, 3, 6], a);
            compute([1, 2, double.NaN, 6], b);
            Check.SameBits(b, a);
            Assert.That(a[2], Is.Zero);
        }
    }

    [Test]
    public void AGroupOfOneAndAGroupOfEqualsTeachNothing()
    {
        double[] a = new double[3];
        Rloo.Advantages([1, 2, 2], [5, 3, 3], [], a);
        Assert.That(a, Is.All.EqualTo(0.0));
        Grpo.Advantages([1, 2, 2], [5, 3, 3], [], a);
        Assert.That(a, Is.All.EqualTo(0.0));
    }

    [Test]
    public void DynamicSamplingDropsPromptsWithoutSignal()
    {
        bool[] keep = new bool[7];
        int kept = DynamicSampling.Keep([0, 0, 1, 1, 2, 2, 2], [1, 1, 0, 1, 3, double.NaN, 3], [true, true, true, true, true, false, true], keep);
        Assert.That(kept, Is.EqualTo(1));
        Assert.That(keep, Is.EqualTo(new[] { false, false, true, true, false, false, false }));
    }

    [Test]
    public void ReMaxAndMovingAverage()
    {
        double[] a = new double[2];
        ReMax.Advantages([1, 2], [0.5, 3], a);
        Assert.That(a, Is.EqualTo(new[] { 0.5, -1 }));
        MovingAverageBaseline baseline = new(0.5);
        baseline.Advantages([1, 3], a);
        Assert.That(a, Is.EqualTo(new double[] { 1, 3 }), "nothing seen before");
        Assert.That(baseline.Baseline, Is.EqualTo(2));
        baseline = new MovingAverageBaseline(0.5, baseline.State);
        baseline.Advantages([5, 5], a);
        Assert.That(a, Is.EqualTo(new double[] { 3, 3 }));
        Assert.That(baseline.Baseline, Is.EqualTo(4), "(¼·2 + ½·5) / ¾");
    }

    [Test]
    public void BestOfNAndQuantiles()
    {
        int[] groups = [0, 1, 0, 1, 0, 2];
        double[] scores = [1, 5, 3, 5, 2, double.NaN];
        bool[] valid = [true, true, true, true, true, false], keep = new bool[6];
        RejectionSampling.BestOfN(groups, scores, valid, keep);
        Assert.That(keep, Is.EqualTo(new[] { false, true, true, false, false, false }));
        RejectionSampling.AboveQuantile(groups, scores, valid, 0.5, keep); // group 0: ⌈1.5⌉ = 2nd smallest = 2
        Assert.That(keep, Is.EqualTo(new[] { false, true, true, true, true, false }));
        RejectionSampling.AboveQuantile(groups, scores, valid, 0, keep);
        Assert.That(keep, Is.EqualTo(valid));
        RejectionSampling.AboveQuantile(groups, scores, valid, 1, keep);
        Assert.That(keep, Is.EqualTo(new[] { false, true, true, true, false, false }));
        bool[] twenty = new bool[20];
        RejectionSampling.AboveQuantile(new int[20], [.. Enumerable.Range(1, 20).Select(i => (double)i)], [], 0.55, twenty); // the 11th smallest and above
        Assert.That(twenty.Count(k => k), Is.EqualTo(10));
    }

    [Test]
    public void SpreadGivesTokensTheirSequencesAdvantage()
    {
        double[] tokens = [9, 9, 9, 9];
        RaggedOffsets.Spread([0, 1, 1, 4], [true, true, false, true], [1, 2, 3], tokens);
        Assert.That(tokens, Is.EqualTo(new double[] { 1, 3, 0, 3 }));
    }
}
