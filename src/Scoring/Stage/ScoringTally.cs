using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Scoring;

/// <summary>What a scoring run did.</summary>
/// <param name="Rows">Rows written.</param>
/// <param name="Excluded">Rows without a score because a reward did not apply.</param>
/// <param name="Means">Mean of each reward over the rows that have it.</param>
/// <param name="MeanScore">Mean weighted sum.</param>
/// <param name="Tokens">Real tokens that reward models read.</param>
public sealed record ScoringSummary(long Rows, long Excluded, IReadOnlyDictionary<string, double> Means, double MeanScore, long Tokens);

/// <summary>
/// Weighted sums and running means. A reward per token goes into <c>token_rewards</c> with its weight, and not into the score, which lands on the
/// last token: it would count twice.
/// </summary>
/// <param name="sources">The rewards.</param>
/// <param name="first">The first row that is added, for messages.</param>
internal sealed class ScoringTally(IReadOnlyList<RewardSource> sources, RowPlace first)
{
    private readonly double[] _sums = new double[sources.Count];
    private readonly long[] _counts = new long[sources.Count];
    private double _scoreSum;
    private long _excluded;
    private long _rows;

    public RowScores Add(in RowResult row)
    {
        ThrowIfLengthsDiffer(sources, row.Rewards, first with { Number = first.Number + _rows });
        var named = new Dictionary<string, double>(StringComparer.Ordinal);
        double? score = sources.Count == 0 ? null : 0;
        float[]? dense = null;
        for (int s = 0; s < sources.Count; s++)
        {
            if (row.Rewards[s].Total is not { } reward)
            {
                score = null;
                continue;
            }

            named[sources[s].Name] = reward;
            _sums[s] += reward;
            _counts[s]++;
            if (row.Rewards[s].PerToken is { } perToken)
            {
                dense ??= new float[perToken.Length];
                for (int t = 0; t < dense.Length; t++) dense[t] += (float)(sources[s].Weight * perToken[t]);
            }
            else
            {
                score += sources[s].Weight * reward;
            }
        }

        _rows++;
        if (score is { } value) _scoreSum += value;
        else if (sources.Count > 0) _excluded++;
        return new RowScores { Rewards = named, Score = score, TokenRewards = dense, ReferenceLogprobs = row.Reference };
    }

    /// <summary>Rewards per token are added token by token: all those of a row must be as many.</summary>
    /// <exception cref="BadDataException">They are not.</exception>
    public static void ThrowIfLengthsDiffer(IReadOnlyList<RewardSource> sources, RewardValue[] rewards, RowPlace place)
    {
        int known = -1;
        for (int s = 0; s < rewards.Length; s++)
        {
            if (rewards[s] is not { Total: not null, PerToken: { } dense }) continue;
            if (known < 0) known = s;
            int expected = rewards[known].PerToken!.Length;
            if (dense.Length == expected) continue;
            throw new BadDataException(
                $"{place}: the rewards '{sources[known].Name}' and '{sources[s].Name}' have {expected} and {dense.Length} values for the response; rewards per token or step are added place by place, so all must be as many. "
                + "In tables without token ids give them from models with one tokenizer and the same per and step_delimiter, or score with one of them at a time.");
        }
    }

    public ScoringSummary Summary()
    {
        var means = new Dictionary<string, double>(StringComparer.Ordinal);
        for (int s = 0; s < sources.Count; s++) means[sources[s].Name] = _counts[s] == 0 ? double.NaN : _sums[s] / _counts[s];
        long scored = _rows - _excluded;
        return new ScoringSummary(_rows, _excluded, means, scored == 0 ? double.NaN : _scoreSum / scored, sources.Sum(s => s.TokensScored));
    }
}
