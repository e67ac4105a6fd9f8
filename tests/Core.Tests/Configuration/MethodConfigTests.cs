using NUnit.Framework;

namespace Rlhf.Core.Tests;

public sealed class MethodConfigTests
{
    private const string Run = "policy: p\ngeneration: { prompts: q, samples_per_prompt: 4 }\n";

    private static MethodConfig Method(string section) => ConfigBinder.Parse<RunConfig>($"{Run}method: {{ {section} }}\n").Method;

    private static string Problem(string section, string run = Run) =>
        Assert.Throws<ConfigurationException>(() => ConfigBinder.Parse<RunConfig>($"{run}method: {{ {section} }}\n"))!.Message;

    [Test]
    public void EveryMethodIsValidByItsName([Values] MethodName name) => Assert.That(Method($"name: {MethodConfig.KeyOf(name)}"), Is.EqualTo(MethodDefaults.Of(name)));

    [Test]
    public void LinesOfTheSectionAreLaidOverTheMethodsDefaults()
    {
        MethodConfig dapo = Method("epochs: 2, name: dapo, clip_range_high: 0.3");
        Assert.Multiple(() =>
        {
            Assert.That((dapo.Epochs, dapo.ClipRangeHigh, dapo.ClipRange, dapo.Critic, dapo.DynamicSampling), Is.EqualTo((2, 0.3, 0.2, Critic.None, true)));
            Assert.That(Method("epochs: 3"), Is.EqualTo(new MethodConfig { Epochs = 3 }), "PPO without a name");
        });
    }

    [Test]
    public void TheFormerNameOfTheSectionIsRead()
    {
        Assert.That(ConfigBinder.Parse<RunConfig>($"{Run}ppo: {{ clip_range: 0.1 }}\n").Method.ClipRange, Is.EqualTo(0.1));
        Assert.That(ConfigWriter.ToYaml(ConfigBinder.Parse<RunConfig>($"{Run}ppo: {{ clip_range: 0.1 }}\n")), Does.Contain("\nmethod:\n").And.Not.Contain("\nppo:"));
    }

    [TestCase("name: grop", "method.name is grop; it must be one of ppo, ", " Did you mean grpo?")]
    [TestCase("name: grpo, value_clip_range: 0.2", "method.value_clip_range is 0.2; it must be 0: there is no critic")]
    [TestCase("name: grpo, critic: shared", "method.critic is shared; it must be none: grpo reads no value")]
    [TestCase("name: grpo, whiten_advantages: true", "it must be false: grpo normalises over the responses to one prompt")]
    [TestCase("name: ppo, critic: none", "method.critic is none; it must be shared or separate: ppo learns a value")]
    [TestCase("name: rloo, epochs: 2", "method.epochs is 2; it must be 1: the loss of rloo has no ratio")]
    [TestCase("name: reinforce, baseline: value", "it needs a critic, and critic is none. Add critic: shared")]
    [TestCase("name: reinforce, clip_range: 0.2", "it must be 0: the loss of reinforce is not clipped")]
    [TestCase("name: reinforce, baseline_constant: 1", "it is read with baseline: constant only, and baseline is moving_average")]
    [TestCase("name: remax, baseline: none", "it must be greedy: that is what remax is")]
    [TestCase("name: ppo, baseline: greedy", "it must be none: ppo has a baseline of its own")]
    [TestCase("name: ppo, dual_clip: 0.5", "it must be above 1")]
    [TestCase("name: gspo, dual_clip: 3", "gspo has no dual clip")]
    [TestCase("name: ppo, penalty_coefficient: 1", "ppo has no KL(π_old‖π) penalty")]
    [TestCase("name: ppo, importance_cap: 2", "only off_policy cuts importance weights")]
    [TestCase("name: ppo, dynamic_sampling: true", "it must be false")]
    [TestCase("name: ppo, ptx_coefficient: 1", "ptx_data")]
    [TestCase("name: ppo, constant_length: 8", "it is read with aggregation: constant_length only")]
    [TestCase("name: ppo, kl_coefficient: 0, kl_target: 3", "kl_target adapts it by factors")]
    [TestCase("name: rloo, reward_normalization: group", "it must not be group: rloo compares")]
    public void ContradictionsAreRefusedWithTheirReason(string section, params string[] expected)
    {
        string message = Problem(section);
        foreach (string part in expected) Assert.That(message, Does.Contain(part));
        Assert.That(message, Does.Contain("configuration:3"), "the line");
    }

    [TestCase("name: grpo", "generation.samples_per_prompt is 1 (default); it must be at least 2: grpo compares the responses to one prompt with each other.")]
    [TestCase("reward_normalization: group", "it must be at least 2: method.reward_normalization: group compares")]
    public void AGroupOfOneIsRefused(string section, string expected) =>
        Assert.That(Problem(section, "policy: p\ngeneration: { prompts: q }\n"), Does.Contain(expected));

    /// <summary>64 prompts (default) of 4 samples: 0.2 · 256 = 51.2; DAPO's four further rounds make it five times that.</summary>
    [TestCase("kl_target: 3, kl_horizon: 51", "method.kl_horizon is 51; it must be above 51.2, a fifth of the responses of an iteration (256)")]
    [TestCase("name: dapo, kl_coefficient: 0.1, kl_target: 3, kl_horizon: 256", "it must be above 256, a fifth of the responses of an iteration (1280 with all rounds of dynamic sampling)")]
    public void AHorizonThatTurnsTheKlAroundIsRefused(string section, string expected)
    {
        Assert.That(Problem(section), Does.Contain(expected));
        Assert.That(() => Method(section.Replace("kl_horizon: 51", "kl_horizon: 52", StringComparison.Ordinal).Replace(": 256", ": 257", StringComparison.Ordinal)), Throws.Nothing);
        Assert.That(() => Method("kl_horizon: 1"), Throws.Nothing, "β is fixed: the horizon is not read");
    }

    [Test]
    public void FiltersNeedACorrection()
    {
        const string filtered = "policy: p\ngeneration: { prompts: q, samples_per_prompt: 4, top_k: 20 }\n";
        Assert.That(Problem("name: ppo", filtered), Does.Contain("generation.top_k is 20; it must be 0 (off)").And.Contain("method.correction: truncate"));
        Assert.That(() => ConfigBinder.Parse<RunConfig>(filtered + "method: { correction: truncate }\n"), Throws.Nothing);
    }

    [TestCase("top_p: 0.9", "generation.top_p is 0.9; it must be 1 (off)")]
    [TestCase("min_p: 0.1", "generation.min_p is 0.1; it must be 0 (off)")]
    [TestCase("repetition_penalty: 1.2", "generation.repetition_penalty is 1.2; it must be 1 (off)")]
    [TestCase("greedy: true", "generation.greedy is true; it must be false (off)")]
    public void SoDoesAllElseThatDrawsFromAnotherDistribution(string setting, string expected)
    {
        string filtered = $"policy: p\ngeneration: {{ prompts: q, {setting} }}\n";
        Assert.That(Problem("name: ppo", filtered), Does.Contain(expected));
        Assert.That(() => ConfigBinder.Parse<RunConfig>(filtered + "method: { correction: truncate }\n"), Throws.Nothing);
    }

    [TestCase("score/men", "keep_best is score/men; it must be a metric of docs/metrics.md that is no time, as score/mean, or empty. Did you mean 'score/mean'?")]
    [TestCase("time/iteration_seconds", "that is no time")]
    public void TheBestIsToldByAMetricThatThereIs(string metric, string expected)
    {
        Assert.That(Problem("name: ppo", $"policy: p\nkeep_best: {metric}\ngeneration: {{ prompts: q }}\n"), Does.Contain(expected));
        foreach (string known in (string[])["reward/length/mean", "''"]) Assert.That(() => ConfigBinder.Parse<RunConfig>($"policy: p\nkeep_best: {known}\ngeneration: {{ prompts: q }}\n"), Throws.Nothing);
    }

    [Test]
    public void AFileExtendsAnother()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["sub"]);
        folder.Write("base.yaml", "policy: model\ngeneration: { prompts: q.jsonl, samples_per_prompt: 2 }\nmethod: { epochs: 3 }\n");
        string path = folder.Write("sub/top.yaml", "extends: ../base.yaml\nmethod: { name: grpo }\ngeneration: { samples_per_prompt: 8 }\n");
        RunConfig run = ConfigBinder.Load<RunConfig>(path, ["generation.max_new_tokens=5"]);
        Assert.Multiple(() =>
        {
            Assert.That((run.Method.Name, run.Method.Epochs, run.Method.Critic), Is.EqualTo((MethodName.Grpo, 3, Critic.None)));
            Assert.That((run.Generation.SamplesPerPrompt, run.Generation.MaxNewTokens), Is.EqualTo((8, 5)));
            Assert.That(run.Policy, Is.EqualTo(folder["model"]), "relative to the file that it stands in");
        });
        File.AppendAllText(folder["base.yaml"], "seeed: 3\n");
        Assert.That(() => ConfigBinder.Load<RunConfig>(path), Throws.TypeOf<ConfigurationException>().With.Message.Contains("base.yaml:4:1: seeed is not a known key"));
        folder.Write("base.yaml", "extends: sub/top.yaml\n");
        Assert.That(() => ConfigBinder.Load<RunConfig>(path), Throws.TypeOf<ConfigurationException>().With.Message.Contains("Does a file extend itself?"));
        folder.Write("sub/top.yaml", "extends: none.yaml\n");
        Assert.That(() => ConfigBinder.Load<RunConfig>(path), Throws.TypeOf<ConfigurationException>().With.Message.Contains("top.yaml:1: extends is none.yaml; there is no file"));
    }
}
