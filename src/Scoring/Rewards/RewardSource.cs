using Rlhf.Core;

namespace Rlhf.Scoring;

/// <summary>One configured reward with its name and weight: models, a rule, or something from outside.</summary>
public abstract class RewardSource(string name, double weight) : IDisposable
{
    public string Name { get; } = name;

    /// <summary>Factor in the score.</summary>
    public double Weight { get; } = weight;

    /// <summary>Columns of the table that the reward reads where they exist.</summary>
    public virtual IReadOnlyList<string> Columns => [];

    /// <summary>True where the reward sees the rows' metadata; it is read for nobody else.</summary>
    public virtual bool ReadsMetadata => false;

    /// <summary>Real tokens that models have read so far.</summary>
    public long TokensScored { get; protected set; }

    /// <summary>Tokens computed so far, padding included.</summary>
    public long TokensComputed { get; protected set; }

    /// <summary>Of them those that only filled rows up to the longest of their batch.</summary>
    public virtual long TokensPadded => 0;

    /// <summary>What can be done for a window while the one before it is computed (tokenising); called from one other thread.</summary>
    public virtual object? Prepare(IReadOnlyList<RuleInput> rows) => null;

    /// <summary>Rewards of a window of rows.</summary>
    /// <param name="rows">The window.</param>
    /// <param name="prepared">What <see cref="Prepare"/> gave for it.</param>
    /// <param name="batchTokens">Most tokens of one batch.</param>
    /// <param name="cancellation">Honoured between batches.</param>
    public abstract RewardValue[] Score(IReadOnlyList<RuleInput> rows, object? prepared, int batchTokens, CancellationToken cancellation);

    /// <summary>Prepares and scores a window.</summary>
    public RewardValue[] Score(IReadOnlyList<RuleInput> rows, int batchTokens, CancellationToken cancellation) => Score(rows, Prepare(rows), batchTokens, cancellation);

    /// <summary>What the rewards depend on, for telling whether a stopped run is the same run.</summary>
    internal abstract string Fingerprint { get; }

    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing)
    {
    }

    /// <summary>Opens every source.</summary>
    /// <exception cref="ConfigurationException">Two names are equal, a rule is unknown, or neither a model nor a rule is named.</exception>
    /// <exception cref="BadModelException">A model cannot be opened.</exception>
    public static IReadOnlyList<RewardSource> Open(IReadOnlyList<RewardSourceConfig> configs, int threads, IReadOnlyList<OutsideReward>? outside = null)
    {
        var sources = new List<RewardSource>();
        try
        {
            foreach (RewardSourceConfig config in configs) Add(sources, OpenOne(config, threads));
            foreach (OutsideReward reward in outside ?? []) Add(sources, new OutsideRewardSource(reward));
            return sources;
        }
        catch
        {
            foreach (RewardSource source in sources) source.Dispose();
            throw;
        }
    }

    private static void Add(List<RewardSource> sources, RewardSource source)
    {
        bool isTaken = sources.Exists(s => s.Name == source.Name);
        sources.Add(source); // so that a failure disposes it too
        if (isTaken) throw new ConfigurationException($"The reward name '{source.Name}' is used twice; give each reward a name of its own (NAME=DIR on the command line, name: in the file).");
    }

    internal static RewardSource OpenOne(RewardSourceConfig config, int threads)
    {
        if ((config.Model.Length > 0) == (config.Rule.Length > 0))
        {
            throw new ConfigurationException($"scoring.rewards: '{config.Name}' names {(config.Model.Length > 0 ? "both a model and a rule" : "neither a model nor a rule")}; give one of the two.");
        }

        if (config.Rule.Length > 0 && config.Per != RewardPer.Sequence)
            throw new ConfigurationException($"scoring.rewards: the rule '{config.Rule}' has per: {config.Per.ToString().ToLowerInvariant()}; rules judge whole responses. Rewards per token or step come from models and from outside.");
        return config.Rule.Length > 0 ? new RuleReward(config, RuleCatalogue.Parse(config.Rule)) : ModelReward.Open(config, threads);
    }
}
