using NUnit.Framework;
using Rlhf.Core;

namespace Rlhf.Optimization.Tests;

public sealed class RewardQualityTests
{
    // 15 bins: 0.9 twice in bin 13 (one label is 1), 0.1 in bin 1 (label 0), 1 in the last bin: |1 − 1.8| + |0 − 0.1| + |1 − 1| = 0.9 of 4.
    [Test]
    public void TheCalibrationErrorByHand() =>
        Assert.That(RewardQuality.ExpectedCalibrationError([0.9, 0.9, 0.1, 1], [1, 0, 0, 1]), Is.EqualTo(0.9 / 4).Within(1e-12));

    // Labels 1, 0, 1 against r > 0: right, wrong, wrong.
    [Test]
    public void LabelsCountRightSigns() => Assert.That(Of(RewardObjective.Binary, [[2], [1], [-1]], [1, 0, 1]).Headline, Is.EqualTo(1.0 / 3).Within(1e-12));

    // Won, lost, tied: (1 + 0 + 1/2)/3.
    [Test]
    public void ATieCountsHalf() => Assert.That(Of(RewardObjective.Pairwise, [[2, 1], [1, 2], [3, 3]], [0, 0, 0]).Headline, Is.EqualTo(0.5));

    // The best of three is first, or is beaten by the third, or ties with the second.
    [Test]
    public void ARankingIsRightWhenItsFirstIsFirst([Values(RewardObjective.KWise, RewardObjective.PlackettLuce)] RewardObjective objective) =>
        Assert.That(Of(objective, [[3, 1, 2], [1, 0, 2], [1, 1, 0]], [0, 0, 0]).Headline, Is.EqualTo(0.5));

    // Labels 1, 3: mean 2, total 2. Errors ½² + ½² = ½: R² = 3/4.
    [Test]
    public void ScoresAreJudgedByR2() => Assert.That(Of(RewardObjective.Regression, [[1.5], [2.5]], [1, 3]).Headline, Is.EqualTo(0.75));

    [Test]
    public void WithoutExamplesThereIsNoNumber() => Assert.That(Of(RewardObjective.Binary, [], []).Headline, Is.NaN);

    private static RewardQuality Of(RewardObjective objective, double[][] scores, double[] labels) =>
        RewardQuality.Of(new RewardModelConfig { Objective = objective }, [.. labels.Select((y, i) => new RewardExample([.. scores[i].Select(_ => new[] { 1 })], y, i))], scores);
}

public sealed class RewardObjectivesTests
{
    // One ranking of two with r = 0 and ln 3: softmax 1/4, 3/4. L = −ln(1/4), ∂L/∂r = (1/4 − 1, 3/4). Both objectives and Bradley–Terry agree at K = 2.
    [Test]
    public void TwoAnswersAreAPair([Values(RewardObjective.KWise, RewardObjective.PlackettLuce, RewardObjective.Pairwise)] RewardObjective objective)
    {
        double[] gradient = new double[2];
        double loss = RewardObjectives.Evaluate(new RewardModelConfig { Objective = objective }, [0, Math.Log(3)], [0, 2], [0], 1, gradient);
        Assert.Multiple(() =>
        {
            Assert.That(loss, Is.EqualTo(Math.Log(4)).Within(1e-12));
            Assert.That(gradient, Is.EqualTo(new[] { -0.75, 0.75 }).Within(1e-12));
        });
    }

    // Three answers of r = 0. K-wise: ln 3. Plackett–Luce: ln 3 + ln 2.
    [TestCase(RewardObjective.KWise, 3)]
    [TestCase(RewardObjective.PlackettLuce, 6)]
    public void ThreeEqualAnswers(RewardObjective objective, double orders) =>
        Assert.That(RewardObjectives.Evaluate(new RewardModelConfig { Objective = objective }, [0, 0, 0], [0, 3], [0], 1, new double[3]), Is.EqualTo(Math.Log(orders)).Within(1e-12));
}

public sealed class RewardAugmentationTests
{
    private static readonly int[] Tokens = [1, .. Enumerable.Range(10, 40)];

    /// <summary>An evaluation keeps BOS and the end of a text that is too long.</summary>
    [Test]
    public void EvaluationKeepsTheEnd()
    {
        int[] cut = RewardAugmentation.Apply(Tokens, new RewardModelConfig { MaxLength = 5, TokenNoise = 0.5, CropMin = 2, CropShare = 1 }, 60, training: false, 0, 0, 0);
        Assert.That(cut, Is.EqualTo(new[] { 1, 46, 47, 48, 49 }));
    }

    [Test]
    public void CropsAreRunsOfTheTextWithinTheirBounds()
    {
        var config = new RewardModelConfig { MaxLength = 30, CropMin = 4, CropShare = 1 };
        int[][] crops = [.. Enumerable.Range(0, 200).Select(row => RewardAugmentation.Apply(Tokens, config, 60, training: true, 1, row, 0))];
        Assert.Multiple(() =>
        {
            Assert.That(crops.Select(c => c[0]), Has.All.EqualTo(1));
            Assert.That(crops.Select(c => c.Length - 1), Has.All.InRange(3, 29)); // exp(log 4) may round below 4
            Assert.That(crops.All(c => c.Skip(1).Zip(c.Skip(2), (a, b) => b - a).All(d => d == 1)));
            Assert.That(crops.Select(c => c.Length).Distinct().Count(), Is.GreaterThan(10));
            Assert.That(RewardAugmentation.Apply(Tokens, config, 60, training: true, 1, 7, 0), Is.EqualTo(crops[7]), "by address");
        });
    }

    /// <summary>8000 tokens at 0.25: a standard deviation of 0.005. One replacement in 60 draws the same token again.</summary>
    [Test]
    public void NoiseReplacesItsShare()
    {
        var config = new RewardModelConfig { MaxLength = 64, TokenNoise = 0.25 };
        double changed = Enumerable.Range(0, 200).Average(row => RewardAugmentation.Apply(Tokens, config, 60, training: true, 1, row, 0).Zip(Tokens, (a, b) => a != b ? 1.0 : 0).Skip(1).Average());
        Assert.That(changed, Is.EqualTo(0.25).Within(0.025));
    }
}
