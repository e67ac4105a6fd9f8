namespace Rlhf.Scoring;

/// <summary>
/// A reward from outside. A .NET assembly brings one by a public class with this interface and a constructor without parameters;
/// programs and HTTP endpoints are adapted to it.
/// </summary>
public interface IRewardFunction : IDisposable
{
    /// <summary>The rewards of some rows, in their order.</summary>
    /// <param name="rows">At least one row.</param>
    /// <param name="cancellation">Ends the work early.</param>
    /// <returns>[rows] rewards.</returns>
    IReadOnlyList<RewardValue> Score(IReadOnlyList<RuleInput> rows, CancellationToken cancellation);
}
