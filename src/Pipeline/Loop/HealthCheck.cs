using System.Globalization;
using Rlhf.Core;

namespace Rlhf.Pipeline;

/// <summary>
/// Looks at an iteration's numbers and says what goes wrong and why most likely: at most one line of a kind an iteration, and a kind that
/// stays only again after <see cref="Patience"/> iterations.
/// </summary>
public sealed class HealthCheck(RunConfig config)
{
    /// <summary>Iterations after which a warning that still holds is told again.</summary>
    public const int Patience = 10;

    private readonly Dictionary<string, int> _told = [];
    private IReadOnlyDictionary<string, double>? _first;

    /// <summary>The warnings that are due.</summary>
    /// <param name="iteration">From 1.</param>
    /// <param name="row">Its metrics.</param>
    public IReadOnlyList<string> Look(int iteration, IReadOnlyDictionary<string, double> row)
    {
        _first ??= row;
        var due = new List<string>();
        foreach ((string kind, string text) in Findings(row))
        {
            if (_told.TryGetValue(kind, out int last) && iteration - last < Patience) continue;
            _told[kind] = iteration;
            due.Add($"iteration {iteration.ToString(CultureInfo.InvariantCulture)}: {text}");
        }

        return due;
    }

    /// <summary>Takes the iterations that were done before, without telling anything again; gives the warnings that were due then.</summary>
    public IReadOnlyList<string> Remember(IEnumerable<MetricRow> rows) => [.. rows.SelectMany(row => Look(row.Iteration, row.Values))];

    private IEnumerable<(string Kind, string Text)> Findings(IReadOnlyDictionary<string, double> row)
    {
        GuardConfig guards = config.Guards;
        double Of(string name) => row.GetValueOrDefault(name, double.NaN);
        double First(string name) => _first!.GetValueOrDefault(name, double.NaN);
        static string N(double value, string format = "0.###") => value.ToString(format, CultureInfo.InvariantCulture);

        double ratio = Of("policy/ratio_max"), updateKl = Of("policy/approx_kl");
        if ((guards.RatioLimit > 0 && ratio > guards.RatioLimit) || (guards.UpdateKlLimit > 0 && updateKl > guards.UpdateKlLimit))
        {
            yield return ("ratio", $"the update moved the policy far: mean KL(π_old‖π) {N(updateKl)} nats per token, largest ratio {N(ratio, "G3")}. "
                + "Most likely optimizer.learning_rate or method.epochs is too high for this batch; method.target_kl ends an update in time.");
        }

        double k3 = Of("kl/k3_per_token");
        if (guards.KlBudget > 0 && k3 > guards.KlBudget)
        {
            yield return ("kl", $"KL to the reference is {N(k3)} nats per token, over guards.kl_budget = {N(guards.KlBudget)}. "
                + "Most likely method.kl_coefficient is too small to hold the policy, or the reward can be gamed: read some samples.");
        }

        if (Of("kl/k1_per_token") is var k1 && k1 < -0.02)
        {
            yield return ("negative-kl", $"KL to the reference is {N(k1)} nats per token on average; it should not be negative for long. "
                + "Most likely the responses were not drawn from the distribution that is scored (a filter, another temperature).");
        }

        double entropy = Of("entropy"), entropyFirst = First("entropy");
        if (guards.EntropyShare > 0 && entropy < guards.EntropyShare * entropyFirst)
        {
            yield return ("entropy", $"entropy is {N(entropy)} nats, {N(100 * entropy / entropyFirst, "0")} % of the {N(entropyFirst)} of the first iteration: the policy collapses to few answers. "
                + "Most likely the pull to the reference is too weak: raise method.kl_coefficient or method.entropy_coefficient, or lower optimizer.learning_rate.");
        }

        // What reward_clip cuts was scaled and normalised first: the trainer counts it.
        double low = Of("score/min"), high = Of("score/max"), cut = Of("reward/clip_share");
        if (guards.ScoreLimit > 0 ? Math.Max(-low, high) > guards.ScoreLimit : cut > 0)
        {
            yield return ("score", $"scores lie between {N(low)} and {N(high)}, {(guards.ScoreLimit > 0 ? $"beyond ±{N(guards.ScoreLimit)} (guards.score_limit)" : $"and method.reward_clip = {N(config.Method.RewardClip)} cuts {N(100 * cut)} % of them, as scaled")}. "
                + "Most likely a reward has no bound or its weight is too large: use transform: sigmoid, a smaller weight, or method.reward_normalization.");
        }

        double length = Of("rollout/length_mean"), lengthFirst = First("rollout/length_mean");
        if (guards.LengthFactor > 0 && (length > guards.LengthFactor * lengthFirst || length * guards.LengthFactor < lengthFirst))
        {
            bool longer = length > lengthFirst;
            yield return ("length", $"responses have {N(length, "0.0")} tokens on average; the first iteration's had {N(lengthFirst, "0.0")}. "
                + (longer ? "Most likely the reward pays for length: add a length reward with a target, or lower generation.max_new_tokens."
                    : "Most likely ending early is cheap in KL or pays: add a length reward with a target, or method.missing_eos_penalty is too strong."));
        }

        if (Of("rollout/engine_logprob_gap_max") is var gap && gap > 0.05)
        {
            yield return ("gap", $"rollout engine and trainer differ by {N(gap)} nats on a token; below 0.05 is expected in float32. "
                + "Most likely the exported policy is not the trained one: run './rlhf doctor', and keep generation.temperature and the device the same.");
        }
    }
}
