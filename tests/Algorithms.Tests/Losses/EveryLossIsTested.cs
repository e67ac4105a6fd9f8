namespace Rlhf.Algorithms.Tests;

/// <summary>
/// A loss that is added without a case beside it (naive implementation, finite differences, masked junk, micro-batches) fails here.
/// </summary>
[TestFixture]
public sealed class EveryLossIsTested
{
    [Test]
    public void PolicyLosses() => Check(typeof(IPolicyLoss), PolicyLossCases.All().Select(c => c.Loss.GetType()));

    [Test]
    public void PreferenceLosses() => Check(typeof(IPreferenceLoss), PreferenceLossTests.Cases().Select(c => c.Loss.GetType()));

    private static void Check(Type contract, IEnumerable<Type> tested)
    {
        Type[] losses = [.. contract.Assembly.GetTypes().Where(t => t is { IsClass: true, IsAbstract: false } && contract.IsAssignableFrom(t))];
        Assert.That(losses, Is.Not.Empty);
        Assert.That(losses.Except(tested), Is.Empty, "losses without a case");
    }
}
