using Rlhf.Core;

namespace Rlhf.Scoring;

/// <summary>Holds an outside reward to its contract: one finite reward a row, dense ones as long as the response.</summary>
internal sealed class OutsideRewardSource(OutsideReward reward) : RewardSource(reward.Name, reward.Weight)
{
    private readonly IRewardFunction _function = reward.Open();

    public override bool ReadsMetadata => true;

    // A program or an endpoint is the same as long as its command or address is: what stands behind it cannot be known.
    internal override string Fingerprint { get; } = reward.File.Length > 0 ? FileStamp.OfAssembly(reward.File) : reward.Source;

    public override RewardValue[] Score(IReadOnlyList<RuleInput> rows, object? prepared, int batchTokens, CancellationToken cancellation)
    {
        IReadOnlyList<RewardValue> values = _function.Score(rows, cancellation);
        if (values.Count != rows.Count) throw new BadDataException($"From {rows[0].Place} on: the reward '{Name}' ({reward.Source}) gave {values.Count} rewards for {rows.Count} rows; expected one a row.");
        var result = new RewardValue[rows.Count];
        for (int i = 0; i < result.Length; i++)
        {
            RewardValue value = values[i];
            if (value.PerToken is { } dense)
            {
                if (rows[i].ResponseTokens is not { } tokens)
                {
                    throw new BadDataException($"{rows[i].Place}: the reward '{Name}' ({reward.Source}) gave {dense.Length} rewards for a row without response_tokens; rewards per token need rollouts.");
                }

                if (dense.Length != tokens) throw new BadDataException($"{rows[i].Place}: the reward '{Name}' ({reward.Source}) gave {dense.Length} rewards for a response of {tokens} tokens; expected one a token.");
                value = new RewardValue(dense.Sum(v => (double)v), dense);
            }

            if (value.Total is { } total && !double.IsFinite(total))
            {
                throw new NumericalException($"{rows[i].Place}: the reward '{Name}' ({reward.Source}) gave {total} for the response '{Excerpt.Of(rows[i].Response)}'; expected a finite number, or null for a row that it does not judge.");
            }

            result[i] = value;
        }

        return result;
    }

    protected override void Dispose(bool disposing)
    {
        _function.Dispose();
        base.Dispose(disposing);
    }
}
