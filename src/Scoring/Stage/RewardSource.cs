using Rlhf.Core;

namespace Rlhf.Scoring;

/// <summary>One configured reward: a model or a rule, with its name and weight.</summary>
public sealed class RewardSource : IDisposable
{
    private readonly RewardModel? _model;
    private readonly IRewardRule? _rule;
    private readonly bool _responseOnly;
    private readonly string _transform;

    private RewardSource(string name, double weight, RewardModel? model, IRewardRule? rule, bool responseOnly, string transform) =>
        (Name, Weight, _model, _rule, _responseOnly, _transform) = (name, weight, model, rule, responseOnly, transform);

    public string Name { get; }

    public double Weight { get; }

    /// <summary>Opens every source; names are made unique and all problems are told at once.</summary>
    public static IReadOnlyList<RewardSource> Open(IReadOnlyList<RewardSourceConfig> configs, int threads)
    {
        var sources = new List<RewardSource>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        try
        {
            foreach (RewardSourceConfig config in configs)
            {
                if ((config.Model.Length > 0) == (config.Rule.Length > 0))
                {
                    throw new ConfigurationException($"scoring.rewards: '{config.Name}' names {(config.Model.Length > 0 ? "both a model and a rule" : "neither a model nor a rule")}; give one of the two.");
                }

                IRewardRule? rule = config.Rule.Length > 0 ? RuleCatalogue.Parse(config.Rule) : null;
                RewardModel? model = rule is null ? new RewardModel(config.Model, threads) : null;
                string name = config.Name.Length > 0 ? config.Name : rule?.Name ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(config.Model)));
                if (!names.Add(name))
                {
                    model?.Dispose();
                    throw new ConfigurationException($"scoring.rewards: the name '{name}' is used twice; give each reward a name of its own.");
                }

                sources.Add(new RewardSource(name, config.Weight, model, rule, config.Input == RewardInput.Response, config.Transform));
            }

            return sources;
        }
        catch
        {
            foreach (RewardSource source in sources) source.Dispose();
            throw;
        }
    }

    /// <summary>Rewards of a window of rows; null where a rule does not apply.</summary>
    /// <param name="rows">The window.</param>
    /// <param name="batchTokens">Most tokens of one batch.</param>
    /// <param name="cancellation">Honoured between batches.</param>
    public double?[] Score(IReadOnlyList<RuleInput> rows, int batchTokens, CancellationToken cancellation)
    {
        var result = new double?[rows.Count];
        if (_rule is not null)
        {
            for (int i = 0; i < rows.Count; i++)
            {
                result[i] = _rule.Score(rows[i]);
                if (result[i] is { } value && !double.IsFinite(value)) throw new NumericalException($"Rule '{Name}' gave {value} for the response '{Shorten(rows[i].Response)}'.");
            }

            return result;
        }

        int[][] tokens = [.. rows.Select(r => _model!.Encode(_responseOnly ? r.Response : r.Prompt + r.Response))];
        double[] scores = new double[rows.Count];
        foreach (int[] batch in TokenBudget.Cut([.. tokens.Select(t => t.Length)], batchTokens))
        {
            cancellation.ThrowIfCancellationRequested();
            _model!.Score(tokens, batch, scores);
            TokensScored += batch.Sum(i => (long)tokens[i].Length);
        }

        for (int i = 0; i < scores.Length; i++) result[i] = Transform(scores[i]);
        return result;
    }

    /// <summary>σ(r) of a binary model is P(label = 1): bounded, so nothing is won by pushing a logit further and further.</summary>
    private double Transform(double score) => _transform switch
    {
        "sigmoid" => 1 / (1 + Math.Exp(-score)),
        "log_sigmoid" => Math.Min(score, 0) - Math.Log(1 + Math.Exp(-Math.Abs(score))),
        _ => score,
    };

    /// <summary>Real tokens that the model has read so far.</summary>
    public long TokensScored { get; private set; }

    public void Dispose() => _model?.Dispose();

    private static string Shorten(string text) => text.Length <= 60 ? text : text[..57] + "…";
}
