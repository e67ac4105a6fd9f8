using System.Text;

namespace Rlhf.Core;

/// <summary>
/// Every metric that is logged anywhere, once. The writers refuse names that are not here, so the docs, the console, TensorBoard and the
/// report cannot drift apart. Wall-clock values begin with <c>time/</c>: without them two runs of one configuration are equal byte for byte.
/// </summary>
public sealed class MetricCatalogue
{
    private readonly List<MetricDefinition> _metrics = [];
    private readonly Dictionary<string, int> _order = [];

    /// <summary>The metrics of this product.</summary>
    public static MetricCatalogue Default { get; } = new MetricCatalogue()
        .Add("score/mean", "score", "mean over responses of Σ weight · reward", "Falls for several iterations: the learning rate is too high or the KL coefficient too large. Near its maximum while samples read badly: the reward is being gamed.")
        .Add("score/std", "score", "standard deviation of the score over responses", "Near 0: all responses score alike, so there is nothing to learn from; look at the samples.")
        .Add("score/min", "score", "smallest score", "Far below the mean: a few broken responses; look at them.")
        .Add("score/max", "score", "largest score", "Equal to the mean: see score/std.")
        .Add("reward/<name>/mean", "reward", "mean of one named reward before its weight", "One reward rises while the others fall: the weights do not balance.")
        .Add("reward/<name>/std", "reward", "standard deviation of one named reward", "0: this reward does not tell responses apart.")
        .Add("reward/mean", "reward", "mean over responses of Σₜ rₜ: the (scaled, clipped) score on the last token minus β · KL of every token", "Falls while score/mean rises: the policy pays more KL than it wins.")
        .Add("reward/std", "reward", "standard deviation of Σₜ rₜ over responses", "Grows without end: scale or clip the score.")
        .Add("reward/clip_share", "1", "share of scores cut by reward clipping", "Above 0.2: most of the signal is cut; widen the clip or normalise.")
        .Add("reward/running_mean", "score", "mean of all scores so far, where reward_normalization is running or running_centred", "Jumps: the prompts or the reward changed.")
        .Add("reward/running_std", "score", "standard deviation of all scores so far, which they are divided by", "Near 0: scaling amplifies noise.")
        .Add("kl/k1_per_token", "nats", "mean over response tokens of log π_old − log π_ref", "Negative for long: samples and log-probs are not of the same policy.")
        .Add("kl/k1_per_sequence", "nats", "mean over responses of Σₜ (log π_old − log π_ref)", "Several times the target: raise the KL coefficient.")
        .Add("kl/k3_per_token", "nats", "mean over tokens of exp(d) − 1 − d with d = log π_ref − log π_old; ≥ 0, lower variance than k1 (Schulman 2020)", "Above about 0.1: the policy is far from the reference and will soon read oddly.")
        .Add("kl/k3_per_sequence", "nats", "the same summed over each response", "As kl/k1_per_sequence.")
        .Add("kl/coefficient", "1", "β in rₜ = scoreₜ − β · KLₜ; adapts when a target is set", "At its bound: the target cannot be met with this learning rate.")
        .Add("entropy", "nats", "mean over response tokens of −Σ p log p of the policy", "Falls towards 0: collapse to a few answers. Rises steadily: the entropy bonus is too large.")
        .Add("policy/loss", "1", "mean over tokens of max(−A·ratio, −A·clip(ratio, 1−ε, 1+ε)) (Schulman 2017)", "Its size means little; NaN means an exploded ratio.")
        .Add("policy/clip_fraction", "1", "share of tokens whose ratio left [1−ε, 1+ε]", "Above 0.3: steps are too large. 0 for long: steps are too small.")
        .Add("policy/ratio_mean", "1", "mean over tokens of π / π_old", "Far from 1: as policy/clip_fraction.")
        .Add("policy/ratio_max", "1", "largest ratio of the update", "Above 10: a few tokens explode; lower the learning rate.")
        .Add("policy/ratio_max_minus_1_first", "1", "max |ratio − 1| on the first minibatch of the first epoch, before any step", "Above 1e-3: the stored log-probs are not those of this policy; nothing after it can be trusted.")
        .Add("policy/approx_kl", "nats", "mean over tokens of ratio − 1 − log ratio: how far this update moved", "Above the target KL: the update stops early.")
        .Add("policy/updates", "steps", "optimiser steps taken in the iteration", "Fewer than planned: the target KL stopped the update.")
        .Add("policy/early_stop", "1", "1 when the target KL ended the update early", "1 in every iteration: lower the learning rate or the number of epochs.")
        .Add("policy/guarded_steps", "steps", "steps left out because the mean ratio of their minibatch passed ratio_guard", "Above 0 in several iterations: the updates are too large; lower the learning rate or the number of epochs.")
        .Add("policy/penalty_kl", "nats", "mean over tokens of k3 of KL(π_old‖π) after the update (ppo_penalty, off_policy)", "Far above penalty_target for long: the coefficient cannot follow; lower the learning rate.")
        .Add("policy/penalty_coefficient", "1", "β of the KL(π_old‖π) penalty in this iteration; it doubles and halves by the KL after the update", "Doubles without end: the learning rate is too high.")
        .Add("policy/ratio_share/<name>", "1", "share of tokens and steps whose ratio π/π_old lies in the bin that begins at the name: the ratio histogram", "Mass in the outer bins (below 0.50, from 2.00): the policy ran away from its samples.")
        .Add("mismatch/weight_mean", "1", "mean over tokens of the importance weight π_old/π_sampler after truncation or rejection", "Far from 1: sampler and trainer are different policies.")
        .Add("mismatch/truncated_share", "1", "share of tokens whose importance weight was cut", "Above 0.05: as mismatch/weight_mean.")
        .Add("mismatch/rejected_share", "1", "share of tokens left out because their importance weight lay outside the band", "Above 0.05: as mismatch/weight_mean.")
        .Add("value/loss", "return²", "½ mean over tokens of max((V − R)², (clip(V, V_old ± ε) − R)²)", "Grows: the value head does not follow; raise its learning rate or scale the rewards.")
        .Add("value/mean", "return", "mean predicted value over tokens", "Far from return/mean: as value/explained_variance.")
        .Add("value/explained_variance", "1", "1 − Var(R − V) / Var(R) over tokens; 1 is perfect, 0 is no better than the mean", "Below 0 after the first iterations: advantages are noise.")
        .Add("value/clip_fraction", "1", "share of tokens whose value loss was clipped", "Above 0.5: the value head wants to move faster than the clip allows.")
        .Add("return/mean", "return", "mean over tokens of the return", "As reward/mean.")
        .Add("return/std", "return", "standard deviation of the return over tokens", "Near 0: nothing to learn from.")
        .Add("advantage/mean", "return", "mean advantage before whitening", "Far from 0 for long: the value head is biased.")
        .Add("advantage/std", "return", "standard deviation of the advantage before whitening", "Near 0: whitening amplifies noise.")
        .Add("reward_training/selected", "responses", "responses of the iteration with a reward in the top share and a reference log-prob per token in the bottom share (reward_training)", "Most of the iteration: the policy wins by leaving the language; keep it nearer to the reference.")
        .Add("reward_training/negatives", "texts", "negatives known after the iteration", "At reward_training.max_negatives: older and newer ones share the places.")
        .Add("reward_training/accepted", "1", "1 when the reward model that was trained after the iteration scores the next ones, 0 when it was refused", "0 again and again: as reward_training/accuracy.")
        .Add("reward_training/accuracy", "1", "held-out accuracy (R² of scores) of the reward model after its training", "More than max_accuracy_drop below accuracy_first: refused; lower the learning rate, the steps or negative_share.")
        .Add("reward_training/accuracy_first", "1", "the same of the reward model that the run began with", "–")
        .Add("reward_training/loss", "nats", "mean loss of the steps of the reward model's training", "Rises from training to training: negatives and labels contradict each other.")
        .Add("reward_training/negatives_before", "reward", "mean of the reward model's output (before any transform) on all negatives, before the training", "Rises from training to training: the policy finds new weaknesses faster than they are mended.")
        .Add("reward_training/negatives_after", "reward", "the same after the training", "As high as before it: more steps, or a larger share of negatives.")
        .Add("rollout/length_mean", "tokens", "mean response length", "Drifts to the limit or to 1: the reward prefers length over content.")
        .Add("rollout/length_max", "tokens", "longest response", "At the limit for most: see rollout/eos_share.")
        .Add("rollout/eos_share", "1", "share of responses that ended by themselves", "Near 0: responses are cut off; allow more tokens or reward endings.")
        .Add("rollout/left_out_share", "1", "share of responses that are drawn but not trained on (dynamic_sampling, leave_out_truncated, or no score)", "Near 1: nothing is learnt from; the prompts are too easy or too hard, or responses need more tokens.")
        .Add("rollout/distinct_1", "1", "different tokens / all tokens over the responses of the iteration", "Falls: as rollout/distinct_2.")
        .Add("rollout/distinct_2", "1", "different bigrams / all bigrams of the responses (Li 2016)", "Falls by half: the policy repeats itself to please the reward.")
        .Add("rollout/engine_logprob_gap_mean", "nats", "mean over tokens of |log-prob of the rollout engine − log-prob of the trainer|", "Above 1e-3 in float32: the exported model is not the trained one.")
        .Add("rollout/engine_logprob_gap_max", "nats", "largest of these differences", "Above 0.05 in float32: as the mean.")
        .Add("gate/mean_abs_dp", "1", "mean |p_onnx − p_torch| of the probe batch's tokens", "0.005 or more stops the run: the export is wrong.")
        .Add("gate/mean_exp_abs_dlogp", "1", "mean exp |log p_onnx − log p_torch| of the probe batch", "1.01 or more stops the run: the export is wrong.")
        .Add("grad_norm", "1", "L2 norm of the gradient before clipping, mean over steps", "Spikes: a bad batch, or the learning rate is too high.")
        .Add("grad_norm_max", "1", "largest gradient norm of the iteration", "As grad_norm.")
        .Add("learning_rate", "1", "learning rate of the last step", "0 before the end: the schedule is too short.")
        .Add("tokens/generated", "tokens", "response tokens drawn in the iteration", "Falls: see rollout/length_mean.")
        .Add("tokens/trained", "tokens", "response tokens trained on, counted once an epoch", "Less than tokens/generated × epochs: an early stop.")
        .Add("tokens/total", "tokens", "response tokens drawn since the start", "–")
        .Add("loss", "nats", "mean training loss per target token or pair (SFT, reward model)", "Rises or stays: the learning rate is wrong or the data is.")
        .Add("accuracy", "1", "share of right predictions on the training batch", "1 at once: a leak of the label.")
        .Add("eval/loss", "nats", "the loss on held-out data", "Rises while loss falls: over-fitting; stop or use more data.")
        .Add("eval/accuracy", "1", "share of right predictions on held-out data", "0.5 on two classes: nothing was learnt.")
        .Add("eval/r2", "1", "1 − Σ(r − y)² / Σ(y − ȳ)² of predicted scores on held-out data", "0 or less: no better than the mean score.")
        .Add("eval/calibration_error", "1", "Σ over 15 bins of σ(r) of share · |accuracy − confidence| on held-out labels (Guo 2017)", "Above 0.1: the reward's size cannot be trusted; train shorter or regularise.")
        .Add("eval/preference_margin", "reward", "mean over held-out pairs of the implicit reward of chosen − rejected (DPO: β Δ(log π − log π_ref); SimPO: β Δ mean log π)", "Falls while preference/margin rises: over-fitting.")
        .Add("preference/margin", "reward", "the same over the pairs trained on since the last row", "Grows without end: β is too small, or the pairs are learnt by heart.")
        .Add("q/bellman", "reward²", "mean over tokens of (Q₁ − y)² + (Q₂ − y)², y = r + γ V of the next state (ILQL)", "Grows: the targets run away; lower the learning rate or the Polyak rate.")
        .Add("q/expectile", "reward²", "mean over tokens of |τ − [Q̄ < V]| (Q̄ − V)²", "As q/bellman.")
        .Add("q/conservative", "nats", "α · mean over tokens of log Σ exp Q − Q(a), both heads", "Near its value at the start: Q does not tell the data's actions from others.")
        .Add("q/cloning", "nats", "mean over tokens of −e^{β(Q̄ − V)} log π", "Rises: the policy forgets the data.")
        .Add("q/value", "reward", "mean over tokens of V", "Far above the largest score: values run away.")
        .Add("eval/temperature", "1", "T of σ(r/T) with the greatest held-out likelihood (Guo 2017); saved with the model", "Far above 1: over-confident, train shorter; far below: under-trained.")
        .Add("loss/adversarial", "nats", "the loss with embeddings moved along its gradient (Miyato 2017)", "Far above loss: adversarial_epsilon is too large, or the model leans on single tokens.")
        .Add("epoch", "epochs", "share of the data seen", "–")
        .Add("time/iteration_seconds", "s", "wall-clock of the iteration", "Grows: a leak, or a machine that is shared.")
        .Add("time/generation_seconds", "s", "wall-clock of Generation", "Most of the iteration: raise the batch size.")
        .Add("time/scoring_seconds", "s", "wall-clock of Scoring", "–")
        .Add("time/optimization_seconds", "s", "wall-clock of Optimization", "–")
        .Add("time/reward_training_seconds", "s", "wall-clock of selecting negatives and training the reward model after the iteration", "Most of the iteration: fewer reward_training.steps, or train less often.")
        .Add("time/export_seconds", "s", "wall-clock of re-export and gate", "–")
        .Add("time/checkpoint_seconds", "s", "wall-clock that the iteration spent on checkpoints: copying the weights and waiting for the write of the one before", "Above 3 % of the iteration: write to a faster disk.")
        .Add("time/checkpoint_write_seconds", "s", "wall-clock of writing the previous iteration's checkpoint, beside the iteration unless background_checkpoints is off", "Near time/iteration_seconds: the disk is too slow.")
        .Add("time/checkpoint_processor_seconds", "s", "what of time/checkpoint_write_seconds a processor worked: at most this the iteration beside it lacked", "Above 3 % of time/iteration_seconds: larger iterations make checkpoints rarer.")
        .Add("time/checkpoint_share", "1", "time/checkpoint_seconds / time/iteration_seconds", "Above 0.03: as time/checkpoint_seconds.")
        .Add("time/generation_tokens_per_second", "tokens/s", "response tokens drawn / time/generation_seconds", "Falls as responses grow alike in length: nothing. Otherwise a busy machine.")
        .Add("time/optimization_tokens_per_second", "tokens/s", "prompt and response tokens trained on / time/optimization_seconds", "Falls: a busy machine or too many threads.")
        .Add("time/memory_bytes", "bytes", "resident memory of the process at the end of the iteration", "Grows after the tenth iteration: a leak.")
        .Add("time/peak_memory_bytes", "bytes", "largest resident memory of the process so far", "Grows after the tenth iteration: a leak.");

    /// <summary>In the order of registration, which is the order of the docs and of <c>metrics.jsonl</c>.</summary>
    public IReadOnlyList<MetricDefinition> All => _metrics;

    /// <summary>Registers a metric.</summary>
    /// <exception cref="ArgumentException">The name is taken.</exception>
    public MetricCatalogue Add(string name, string unit, string formula, string whatIsBad)
    {
        if (!_order.TryAdd(name, _metrics.Count)) throw new ArgumentException($"The metric '{name}' is registered twice.", nameof(name));
        _metrics.Add(new MetricDefinition(name, unit, formula, whatIsBad));
        return this;
    }

    /// <summary>The definition of a name or of the template that it is an instance of.</summary>
    /// <exception cref="ArgumentException">Nobody registered it.</exception>
    public MetricDefinition Get(string name) => _metrics[OrderOf(name)];

    /// <summary>True when the name is registered or is an instance of a template.</summary>
    public bool Contains(string name) => TryFind(name, out _);

    /// <summary>The place in the order; instances of a template share one.</summary>
    internal int OrderOf(string name)
    {
        if (TryFind(name, out int order)) return order;
        string near = NearestName.Of(name, _order.Keys) is { } candidate ? $" Did you mean '{candidate}'?" : "";
        throw new ArgumentException($"The metric '{name}' is not in the catalogue; register it in MetricCatalogue with unit and formula.{near}", nameof(name));
    }

    /// <summary>Whether a name is that of a wall-clock value.</summary>
    public static bool IsTime(string name) => name.StartsWith("time/", StringComparison.Ordinal);

    /// <summary>Names in the order of the catalogue; instances of a template by name.</summary>
    /// <exception cref="ArgumentException">Nobody registered one.</exception>
    internal IEnumerable<string> InOrder(IEnumerable<string> names) => names.OrderBy(OrderOf).ThenBy(n => n, StringComparer.Ordinal);

    private bool TryFind(string name, out int order)
    {
        if (_order.TryGetValue(name, out order)) return true;
        order = _metrics.FindIndex(m => m.Matches(name));
        return order >= 0;
    }

    /// <summary>The reference of all metrics as a Markdown table.</summary>
    public string ToMarkdown()
    {
        StringBuilder text = new("| metric | unit | formula | what a bad value looks like |\n| --- | --- | --- | --- |\n");
        foreach (MetricDefinition m in _metrics)
            text.Append($"| `{m.Name}` | {m.Unit} | {Cell(m.Formula)} | {Cell(m.WhatIsBad)} |\n");
        return text.ToString();
        static string Cell(string s) => s.Replace("|", "\\|", StringComparison.Ordinal);
    }
}
