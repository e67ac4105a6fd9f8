namespace Rlhf.Core;

/// <summary>
/// One reward model learns on during the run (section <c>reward_training</c>): what the policy found to fool it becomes its negatives, its labelled data is
/// replayed so that it keeps its accuracy.
/// </summary>
public sealed record RewardTrainingConfig : IValidated
{
    [Doc("Name of the reward in scoring.rewards that goes on learning, a model in Hugging Face layout; empty: none does.")]
    public string Reward { get; init; } = "";

    [Doc("Configuration of `rlhf optimize reward-model`: objective, labelled data to replay, hold-out, lengths, augmentation, optimizer. Its model, output, negatives, batch size, numbers of steps and of evaluated rows, threads, learning rate with its schedule and warm-up, adversarial_epsilon, calibrate and patience are not used: this section has its own, or none."), PathRelative]
    public string Config { get; init; } = "";

    [Doc("Iterations between trainings; responses are selected in every one."), Range(1, 1e6)]
    public int Every { get; init; } = 1;

    [Doc("Optimiser steps of one training."), Range(1, 1e6)]
    public int Steps { get; init; } = 30;

    [Doc("Peak learning rate; it rises over a tenth of the steps and falls linearly to 0."), Range(0, 1)]
    public double LearningRate { get; init; } = 1e-4;

    [Doc("Texts (or pairs) of one step."), Range(2, 1e6)]
    public int BatchSize { get; init; } = 32;

    [Doc("Share of each step's texts that are negatives; what neither they nor anchors take is replayed labelled data."), Range(0, 1, MaximumIsOpen = true)]
    public double NegativeShare { get; init; } = 0.25;

    [Doc("Share of each step's texts that are anchors: responses of the first iteration, which are to keep the rewards that the first model gave them (binary, regression, huber); without them a model soon takes everything that a policy writes for a negative."), Range(0, 1, MaximumIsOpen = true)]
    public double AnchorShare { get; init; } = 0.25;

    [Doc("Embedding perturbation of these trainings (adversarial_epsilon of a reward model's configuration); 0: none."), Range(0, 100)]
    public double AdversarialEpsilon { get; init; }

    [Doc("A response becomes a negative when its reward is in this top share of its iteration's …"), Range(0, 1)]
    public double TopShare { get; init; } = 0.5;

    [Doc("… and its reference log-prob per token is in this bottom share of the texts that `bottom_of` names. 1: whatever its likelihood."), Range(0, 1)]
    public double BottomShare { get; init; } = 0.02;

    [Doc("first_iteration (what the policy wrote before it learnt anything: while it writes like that, hardly anything is selected) or iteration (its own: something is selected in each).")]
    public LikelihoodBaseline BottomOf { get; init; } = LikelihoodBaseline.FirstIteration;

    [Doc("Most negatives kept: a uniform random sample of all that were found; 0: all."), Range(0, 1e8)]
    public int MaxNegatives { get; init; } = 2000;

    [Doc("A trained model whose held-out accuracy (R² of scores) is more than this below that of the model which the run began with is refused, and the one before goes on."), Range(0, 1)]
    public double MaxAccuracyDrop { get; init; } = 0.01;

    [Doc("Most held-out examples for that."), Range(1, 1e9)]
    public int EvaluateRows { get; init; } = 1000;

    /// <inheritdoc/>
    public IEnumerable<ConfigProblem> Validate()
    {
        if (Reward.Length > 0 && Config.Length == 0)
            yield return new(nameof(Config), "must name a reward model's training configuration: without labelled data to replay, negatives alone would make the model say no to everything.");
        if (NegativeShare + AnchorShare >= 1)
            yield return new(nameof(AnchorShare), $"must leave room for replayed labelled data beside negative_share ({ConfigText.Of(NegativeShare)}): together less than 1.");
        if (Reward.Length == 0 && Config.Length > 0)
            yield return new(nameof(Reward), "must name the reward of scoring.rewards that is to be trained.");
    }
}

/// <summary>Whose log-probs the bottom share is taken of.</summary>
public enum LikelihoodBaseline { FirstIteration, Iteration }
