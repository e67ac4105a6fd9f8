namespace Rlhf.Algorithms.Tests;

[TestFixture]
public sealed class PreferencePairsTests
{
    private static readonly int[] Groups = [5, 2, 5, 5, 2, 5, 9];
    private static readonly double[] Scores = [1, 3, 4, 0.5, 3, 2, 7];

    [Test]
    public void BestAgainstWorstOfEachPrompt()
    {
        // Prompt 5: 4, 2, 1, ½ at 2, 5, 0, 3. Prompt 2: equal scores teach nothing. Prompt 9: one sample.
        Assert.That(PreferencePairs.BestAgainstWorst(Groups, Scores, []), Is.EqualTo(new SamplePair[] { new(2, 3) }));
        Assert.That(PreferencePairs.BestAgainstWorst(Groups, Scores, [], 0, 3), Is.EqualTo(new SamplePair[] { new(2, 3), new(5, 0) }));
        Assert.That(PreferencePairs.BestAgainstWorst(Groups, Scores, [], 1, 3), Is.EqualTo(new SamplePair[] { new(2, 3) }), "2 − 1 is no more than 1");
        Assert.That(PreferencePairs.BestAgainstWorst(Groups, Scores, [], 3.5), Is.Empty);
    }

    [Test]
    public void InvalidScoresAreNotRead()
    {
        double[] junk = [1, double.NaN, 4, double.NaN, 3, 2, 7];
        bool[] valid = [true, false, true, false, true, true, true];
        Assert.That(PreferencePairs.BestAgainstWorst(Groups, junk, valid), Is.EqualTo(new SamplePair[] { new(2, 0) }));
    }

    [Test]
    public void OptionsAreChecked()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => PreferencePairs.BestAgainstWorst(Groups, Scores, [], -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => PreferencePairs.BestAgainstWorst(Groups, Scores, [], 0, 0));
        Assert.Throws<ArgumentException>(() => PreferencePairs.BestAgainstWorst(Groups, [1], []));
    }
}
