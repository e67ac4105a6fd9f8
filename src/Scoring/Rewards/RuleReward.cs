using Rlhf.Core;

namespace Rlhf.Scoring;

/// <summary>A rule as a reward.</summary>
internal sealed class RuleReward(RewardSourceConfig config, IRewardRule rule)
    : RewardSource(config.Name.Length > 0 ? config.Name : rule.Name, config.Weight)
{
    public override IReadOnlyList<string> Columns => rule.Columns;

    public override bool ReadsMetadata => rule.ReadsMetadata;

    // Taken when the rule was opened: what it has read is what counts.
    internal override string Fingerprint { get; } = string.Join("; ", [config.Rule, .. rule.Files.Select(FileStamp.OfContents)]);

    public override RewardValue[] Score(IReadOnlyList<RuleInput> rows, object? prepared, int batchTokens, CancellationToken cancellation)
    {
        var result = new RewardValue[rows.Count];
        for (int i = 0; i < rows.Count; i++)
        {
            double? value = rule.Score(rows[i]);
            if (value is { } number && !double.IsFinite(number)) throw new NumericalException($"{rows[i].Place}: the rule '{Name}' gave {number} for the response '{Excerpt.Of(rows[i].Response)}'; expected a finite number.");
            result[i] = new RewardValue(value);
        }

        return result;
    }
}
