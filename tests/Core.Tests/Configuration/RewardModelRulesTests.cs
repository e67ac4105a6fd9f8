using NUnit.Framework;

namespace Rlhf.Core.Tests;

/// <summary>A reward model's settings that contradict each other, or would do nothing, are refused before any work.</summary>
public sealed class RewardModelRulesTests
{
    [TestCase("objective: binary, margin: 0.5", "margin is 0.5; it is for pairwise; the objective is binary. Leave it out or choose the objective.")]
    [TestCase("objective: k_wise, margin: 0.5", "margin is 0.5; it is for pairwise; the objective is k_wise")]
    [TestCase("objective: huber, margin_column: m", "margin_column is m; it is for pairwise")]
    [TestCase("objective: binary, chosen_column: c", "chosen_column is c; it is for pairwise")]
    [TestCase("objective: binary, rejected_column: c", "rejected_column is c; it is for pairwise")]
    [TestCase("objective: pairwise, ranking_column: r", "ranking_column is r; it is for k_wise and plackett_luce")]
    [TestCase("objective: binary, steps_column: s", "steps_column is s; it is for process")]
    [TestCase("objective: binary, step_labels_column: s", "step_labels_column is s; it is for process")]
    [TestCase("objective: pairwise, text_column: t", "text_column is t; it is for binary, regression, huber and discriminator")]
    [TestCase("objective: discriminator, label_column: l", "label_column is l; it is for binary, regression and huber")]
    [TestCase("objective: binary, normalize_labels: true", "normalize_labels is true; it is for regression and huber")]
    [TestCase("objective: pairwise, negative_label: 0.5", "negative_label is 0.5; it is for binary")]
    [TestCase("objective: process, negatives: [n.jsonl]", "it is for binary, regression, huber, pairwise and discriminator")]
    [TestCase("objective: binary, centering_coefficient: 0.1", "centering_coefficient is 0.1; it is for pairwise, k_wise and plackett_luce")]
    [TestCase("objective: regression, centering_coefficient: 0.1", "centering_coefficient is 0.1; it is for pairwise")]
    [TestCase("objective: regression, calibrate: true", "calibrate is true; it is for binary, discriminator and pairwise")]
    [TestCase("objective: process, crop_min: 4, crop_share: 0.5", "crop_share is 0.5; it is for texts that are judged as a whole")]
    [TestCase("objective: process, token_swap: 0.5", "token_swap is 0.5; it is for texts that are judged as a whole")]
    [TestCase("crop_min: 4", "crop_min is 4; it does nothing while crop_share is 0")]
    [TestCase("crop_share: 0.5", "crop_share is 0.5; it does nothing while crop_min is 0")]
    [TestCase("crop_min: 64, crop_share: 0.5, max_length: 64", "crop_min is 64; it must be below max_length (64)")]
    [TestCase("token_noise: 0.6, token_mask: 0.5", "token_mask is 0.5; it must be at most 1 together with token_noise (0.6)")]
    [TestCase("calibrate: true, normalize_on: [r.jsonl]", "calibrate is true; it does not go with normalize_on")]
    [TestCase("calibrate: true, held_out_fraction: 0", "calibrate is true; it needs rows that are held out")]
    [TestCase("patience: 2, held_out_fraction: 0", "patience is 2; it needs rows that are held out")]
    [TestCase("negative_column: n", "negative_column is n; it is the column of texts in negatives, which names no file")]
    [TestCase("negative_prompt_column: n", "negative_prompt_column is n; it is the column of prompts in negatives")]
    [TestCase("normalize_column: n", "normalize_column is n; it is the column of texts in normalize_on")]
    [TestCase("normalize_prompt_column: n", "normalize_prompt_column is n; it is the column of prompts in normalize_on")]
    [TestCase("adversarial_epsilon: 1, adversarial_weight: 0", "adversarial_weight is 0; it must be above 0 while adversarial_epsilon is 1")]
    [TestCase("model: m, architecture: { layers: 9 }", "architecture is the shape of a new model")]
    public void WhatWouldDoNothingIsTold(string settings, string expected) =>
        Assert.That(Assert.Throws<ConfigurationException>(() => ConfigBinder.Parse<RewardModelConfig>($"{{ {settings} }}"))!.Message, Does.Contain(expected));

    [TestCase("objective: pairwise, margin: 0.5, margin_column: m, chosen_column: c, rejected_column: r, centering_coefficient: 0.1, calibrate: true, normalize_on: [r], negatives: [n]")]
    [TestCase("objective: plackett_luce, ranking_column: r, centering_coefficient: 0.1, scale_coefficient: 0.1")]
    [TestCase("objective: huber, normalize_labels: true, text_column: t, label_column: l, crop_min: 4, crop_share: 1, token_swap: 0.1")]
    [TestCase("objective: process, steps_column: s, step_labels_column: l, token_mask: 0.1, token_noise: 0.1")]
    [TestCase("objective: discriminator, text_column: t, negatives: [n], calibrate: true, patience: 3")]
    [TestCase("objective: binary, negative_label: 0.5, negatives: [n], negative_column: t, negative_prompt_column: p, held_out_fraction: 0, held_out_data: [h], patience: 1")]
    public void WhatHasAnEffectIsTaken(string settings) => Assert.That(ConfigBinder.Parse<RewardModelConfig>($"{{ {settings} }}").Output, Is.EqualTo("runs/reward"));

    private const string Before = "policy: p\ngeneration: { prompts: q }\nscoring: { rewards: [";

    [TestCase("{ rule: length, transform: sigmoid }", "scoring.rewards.0.transform is sigmoid; it is for reward models; 'length' is a rule")]
    [TestCase("{ rule: length, input: response }", "scoring.rewards.0.input is response; it is for reward models")]
    [TestCase("{ rule: length, max_length: 8 }", "scoring.rewards.0.max_length is 8; it is for reward models")]
    [TestCase("{ rule: length, per: token }", "scoring.rewards.0.per is token; it is for reward models")]
    [TestCase("{ model: m, step_delimiter: x }", "scoring.rewards.0.step_delimiter is x; it is for per: step; this reward is per sequence")]
    public void ARewardHasOnlyTheSettingsOfItsKind(string reward, string expected) =>
        Assert.That(Assert.Throws<ConfigurationException>(() => ConfigBinder.Parse<RunConfig>(Before + reward + "] }"))!.Message, Does.Contain(expected));
}
