namespace Rlhf.Algorithms.Tests;

[TestFixture]
public sealed class FullVocabularyKlTests
{
    [Test]
    public void PublishedPairs()
    {
        // TRL's test of kl_penalty = full.
        Assert.That(Kl([0.98, 0.01, 0.01], [0.01, 0.01, 0.98]), Is.EqualTo(4.447418).Within(1e-6));
        Assert.That(Kl([0.49, 0.02, 0.49], [0.01, 0.98, 0.01]), Is.EqualTo(3.736147).Within(1e-6));
        Assert.That(Kl([0.3, 0.7], [0.3, 0.7]), Is.Zero);
        Assert.That(Kl([0, 1], [0.5, 0.5]), Is.EqualTo(Math.Log(2)).Within(Tolerance.SameFormula), "0 log 0 = 0");
    }

    [Test]
    public void GradientOnLogits()
    {
        double[] z = [0.3, -1, 2, 0.5], q = [.. new[] { 0.1, 0.2, 0.3, 0.4 }.Select(x => Math.Log(x))], gradient = new double[4];
        double[] Log(double[] x) => [.. x.Select(v => v - Math.Log(x.Sum(Math.Exp)))];
        double kl = FullVocabularyKl.WithGradient(Log(z), q, 2, gradient);
        Assert.That(kl, Is.EqualTo(FullVocabularyKl.Value(Log(z), q)));
        Check.Gradient(x => 2 * FullVocabularyKl.Value(Log(x), q), z, gradient);
    }

    private static double Kl(double[] p, double[] q) => FullVocabularyKl.Value([.. p.Select(x => Math.Log(x))], [.. q.Select(x => Math.Log(x))]);
}
