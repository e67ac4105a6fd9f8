namespace Rlhf.Core;

/// <summary>Contradictions between sections.</summary>
public sealed partial record RunConfig : IValidated
{
    /// <summary>Where the error of the measured KL is cut (Ziegler et al. 2019).</summary>
    private const double LargestKlError = 0.2;

    /// <inheritdoc/>
    public IEnumerable<ConfigProblem> Validate()
    {
        string method = ConfigText.SnakeCase(Method.Name.ToString());
        if (Method.ComparesGroups && Generation.SamplesPerPrompt < 2)
        {
            string why = MethodDefaults.IsGroupMethod(Method.Name) ? method : $"method.reward_normalization: {ConfigText.Of(Method.RewardNormalization)}";
            yield return new("Generation.SamplesPerPrompt", $"must be at least 2: {why} compares the responses to one prompt with each other.");
        }

        if (Method.OverlongBuffer > Generation.MaxNewTokens)
            yield return new("Method.OverlongBuffer", $"must be at most generation.max_new_tokens ({Generation.MaxNewTokens}): it is the last part of that length.");
        if (Method.CriticWarmupIterations > 0 && Method.Critic == Critic.Shared && Optimizer.WeightDecay > 0)
            yield return new("Method.CriticWarmupIterations", $"must be 0 while optimizer.weight_decay is {ConfigText.Of(Optimizer.WeightDecay)}: decay would move the shared trunk that warm-up leaves alone. Use critic: separate.");
        if (Method.Correction == Correction.None && Filters().FirstOrDefault(f => f.IsOn) is { Key: { } key } filter)
            yield return new(key, $"must be {filter.Off} (off): the ratio of {method} is of the policy's own distribution, which a filter is not. method.correction: truncate weighs filtered samples.");
        if (KeepBest.Length > 0 && (MetricCatalogue.IsTime(KeepBest) || !MetricCatalogue.Default.Contains(KeepBest)))
        {
            string near = NearestName.Of(KeepBest, MetricCatalogue.Default.All.Select(m => m.Name)) is { } candidate ? $" Did you mean '{candidate}'?" : "";
            yield return new("KeepBest", $"must be a metric of docs/metrics.md that is no time, as score/mean, or empty.{near}");
        }

        long responses = (long)Generation.PromptsPerIteration * Generation.SamplesPerPrompt * (Method.DynamicSampling ? 1 + Method.DynamicSamplingRounds : 1);
        if (Method.KlTarget > 0 && Method.KlHorizon <= LargestKlError * responses)
            yield return new("Method.KlHorizon", $"must be above {ConfigText.Of(LargestKlError * responses)}, a fifth of the responses of an iteration ({responses}{(Method.DynamicSampling ? " with all rounds of dynamic sampling" : "")}): an iteration multiplies the KL coefficient by 1 ± 0.2 · responses / kl_horizon, which must stay positive. With {responses} it changes by at most a fifth.");
        if (RewardTraining.Reward.Length == 0) yield break;
        RewardSourceConfig? trained = Scoring.Rewards.FirstOrDefault(r => r.ColumnName == RewardTraining.Reward);
        string names = string.Join(", ", Scoring.Rewards.Where(r => r.Model.Length > 0).Select(r => r.ColumnName));
        if (trained is null)
            yield return new("RewardTraining.Reward", $"must be the name of a reward model of scoring.rewards ({(names.Length > 0 ? names : "it has none")}).");
        else if (trained.Model.Length == 0)
            yield return new("RewardTraining.Reward", $"must be a reward model; '{trained.Rule}' is a rule, which does not learn.");
        else if (trained.Model.Contains('(', StringComparison.Ordinal) && !Directory.Exists(trained.Model))
            yield return new("RewardTraining.Reward", "must be one model; an ensemble is several.");
    }

    // All that draws from another distribution than the policy's own at its temperature.
    private (string Key, bool IsOn, string Off)[] Filters() =>
    [
        ("Generation.TopK", Generation.TopK > 0, "0"), ("Generation.TopP", Generation.TopP < 1, "1"), ("Generation.MinP", Generation.MinP > 0, "0"),
        ("Generation.RepetitionPenalty", Generation.RepetitionPenalty != 1, "1"), ("Generation.Greedy", Generation.Greedy, "false"),
    ];
}
