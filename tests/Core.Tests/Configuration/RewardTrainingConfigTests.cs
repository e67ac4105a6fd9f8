using NUnit.Framework;

namespace Rlhf.Core.Tests;

/// <summary>Section reward_training: what contradicts the rewards is refused before anything is made.</summary>
public sealed class RewardTrainingConfigTests
{
    private const string Before = "policy: p\ngeneration: { prompts: q }\nscoring: { rewards: [{ name: judge, model: m/j }, { model: m/other/ }, { name: short, rule: length }, { name: both, model: \"mean(a, b)\" }] }\n";

    [TestCase("{ reward: jugde, config: c.yaml }", "reward_training.reward is jugde; it must be the name of a reward model of scoring.rewards (judge, other, both)")]
    [TestCase("{ reward: short, config: c.yaml }", "it must be a reward model; 'length' is a rule")]
    [TestCase("{ reward: both, config: c.yaml }", "it must be one model; an ensemble is several")]
    [TestCase("{ reward: judge }", "it must name a reward model's training configuration")]
    [TestCase("{ config: c.yaml }", "it must name the reward of scoring.rewards")]
    [TestCase("{ reward: judge, config: c.yaml, every: 0 }", "reward_training.every is 0; it must be between 1 and")]
    [TestCase("{ reward: judge, config: c.yaml, negative_share: 1 }", "negative_share is 1; it must be at least 0 and less than 1")]
    [TestCase("{ reward: judge, config: c.yaml, negative_share: 0.5, anchor_share: 0.5 }", "reward_training.anchor_share is 0.5; it must leave room for replayed labelled data")]
    [TestCase("{ reward: judge, config: c.yaml, bottom_of: last }", "first_iteration, iteration")]
    public void ContradictionsAreTold(string section, string expected)
    {
        ConfigurationException error = Assert.Throws<ConfigurationException>(() => ConfigBinder.Parse<RunConfig>(Before + "reward_training: " + section))!;
        Assert.That(error.Message, Does.Contain(expected).And.StartsWith("configuration"));
    }

    [TestCase("judge")]
    [TestCase("other")]
    public void AModelIsTrainedByItsNameOrItsFolders(string name) => Assert.That(
        ConfigBinder.Parse<RunConfig>(Before + $"reward_training: {{ reward: {name}, config: c.yaml }}").RewardTraining.Every, Is.EqualTo(1));
}
