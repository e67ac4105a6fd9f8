using NUnit.Framework;

namespace Rlhf.Core.Tests;

public sealed class ConfigBinderTests
{
    private static string[] ProblemsOf(string yaml, params string[] overrides)
    {
        using TemporaryFolder folder = new();
        string path = folder.Write("c.yaml", yaml);
        ConfigurationException error = Assert.Throws<ConfigurationException>(() => ConfigBinder.Load<SampleConfig>(path, overrides))!;
        return [.. error.Problems.Select(p => p.Replace(path, "c.yaml", StringComparison.Ordinal))];
    }

    [Test]
    public void EveryKindOfFieldIsRead()
    {
        using TemporaryFolder folder = new();
        string path = folder.Write(
            "configs/c.yaml",
            """
            policy: ../models/tiny     # relative to this file
            seed: 18446744073709551615
            rollouts_per_iteration: 1_024
            prefix: "12"
            schedule: linear_decay
            device: cuda
            stop: [a, "b: c"]
            ppo:
              minibatch_size: 32
              gamma: 0.5
              target_kl: 2e-2
              whiten: false
            rewards:
              - name: sentiment
              - name: length
                weight: -0.5
            data:
              imdb: { files: [x.parquet, /y.parquet] }
            """);
        SampleConfig config = ConfigBinder.Load<SampleConfig>(path);
        Assert.That(config.Policy, Is.EqualTo(folder["models/tiny"]));
        Assert.That(config.Seed, Is.EqualTo(ulong.MaxValue));
        Assert.That(config.RolloutsPerIteration, Is.EqualTo(1024));
        Assert.That(config.Prefix, Is.EqualTo("12"));
        Assert.That(config.Schedule, Is.EqualTo(SampleSchedule.LinearDecay));
        Assert.That(config.Device, Is.EqualTo("cuda"));
        Assert.That(config.Stop, Is.EqualTo(new[] { "a", "b: c" }));
        // clip_range keeps the default that the outer record gives it, not the one of SamplePpo.
        Assert.That(config.Ppo, Is.EqualTo(new SamplePpo { ClipRange = 0.25, MinibatchSize = 32, Gamma = 0.5f, TargetKl = 0.02, Whiten = false }));
        Assert.That(config.Rewards, Is.EqualTo(new[] { new SampleReward { Name = "sentiment" }, new SampleReward { Name = "length", Weight = -0.5 } }));
        Assert.That(config.Data["imdb"].Files, Is.EqualTo(new[] { folder["configs/x.parquet"], "/y.parquet" }));
    }

    [Test]
    public void DefaultsThenFileThenCommandLine()
    {
        using TemporaryFolder folder = new();
        string path = folder.Write("c.yaml", "policy: p\nppo:\n  clip_range: 0.1\n  minibatch_size: 8\n");
        SampleConfig config = ConfigBinder.Load<SampleConfig>(path, ["ppo.clip_range=0.3", "rewards=[{name: a}]", "rewards.0.weight=2", "rewards.1.name=b", "stop=[x]", "ppo.clip_range=0.4"]);
        Assert.That(config.Ppo.ClipRange, Is.EqualTo(0.4));
        Assert.That(config.Ppo.MinibatchSize, Is.EqualTo(8));
        Assert.That(config.Ppo.Gamma, Is.EqualTo(1));
        Assert.That(config.Rewards, Is.EqualTo(new[] { new SampleReward { Name = "a", Weight = 2 }, new SampleReward { Name = "b" } }));
        Assert.That(config.Stop, Is.EqualTo(new[] { "x" }));
    }

    [Test]
    public void PathsOfTheCommandLineAreRelativeToTheCurrentFolder()
    {
        SampleConfig config = ConfigBinder.Load<SampleConfig>(null, ["policy=models/a"]);
        Assert.That(config.Policy, Is.EqualTo(Path.GetFullPath("models/a")));
    }

    [Test]
    public void AllProblemsAtOnceInTheOrderOfTheFile()
    {
        string[] problems = ProblemsOf(
            """
            seed: -1
            rollouts_per_iteration: many
            schedule: linear_decoy
            device: tpu
            stop: word
            ppo:
              clip_rnage: 0.1
              clip_range: 1.5
              gamma: 0
              whiten: yes
            rewards:
              - weight: 1
            zzzzzz: 1
            yyyyyy: 1
            """,
            "ppo.target_kl=-0.5");
        Assert.That(problems, Is.EqualTo(new[]
        {
            "c.yaml:1: seed is -1; it must be a whole number.",
            "c.yaml:2: rollouts_per_iteration is many; it must be a whole number.",
            "c.yaml:3: schedule is linear_decoy; it must be one of constant, linear_decay. Did you mean linear_decay?",
            "c.yaml:4: device is tpu; it must be one of cpu, cuda. Did you mean cpu?",
            "c.yaml:5: stop is word; it must be a list, for example [a, b].",
            "c.yaml:7:3: ppo.clip_rnage is not a known key; did you mean ppo.clip_range?",
            "c.yaml:8: ppo.clip_range is 1.5; it must be between 0 and 1.",
            "c.yaml:9: ppo.gamma is 0; it must be greater than 0 and at most 1.",
            "c.yaml:10: ppo.whiten is yes; it must be true or false.",
            "c.yaml:12: rewards.0.name is missing; it has no default (Its name). Add it to the file or give --set rewards.0.name=VALUE.",
            "c.yaml:13:1: zzzzzz is not a known key; known here: policy, seed, rollouts_per_iteration, prefix, schedule, device, stop, ppo, rewards, data.",
            "c.yaml:14:1: yyyyyy is not a known key.",
            "--set ppo.target_kl=-0.5: ppo.target_kl is -0.5; it must be at least 0.",
            "c.yaml: policy is missing; it has no default (Where the policy lies). Add it to the file or give --set policy=VALUE.",
        }));
    }

    [Test]
    public void CrossFieldProblemsNameTheLineOrTheDefault()
    {
        Assert.That(
            ProblemsOf("policy: p\nppo:\n  minibatch_size: 12\n"),
            Is.EqualTo(new[] { "c.yaml:3: ppo.minibatch_size is 12; it must divide rollouts_per_iteration (64). Use 8 or 16." }));
        Assert.That(
            ProblemsOf("policy: p\nrollouts_per_iteration: 40\n"),
            Is.EqualTo(new[] { "c.yaml: ppo.minibatch_size is 16 (default); it must divide rollouts_per_iteration (40). Use 8 or 16." }));
        Assert.That(
            ProblemsOf("policy: p\n", "ppo.minibatch_size=12"),
            Is.EqualTo(new[] { "--set ppo.minibatch_size=12: ppo.minibatch_size is 12; it must divide rollouts_per_iteration (64). Use 8 or 16." }));
    }

    [TestCase("policy: p\npolicy: q\n", "c.yaml:2:1: the key 'policy' is here for the second time; the first is on line 1. Remove one.")]
    [TestCase("ppo: 3\npolicy: p\n", "c.yaml:1: ppo is 3; it must be a section (key: value lines).")]
    [TestCase("- a\n", "c.yaml:1: the document is a list; it must be a section (key: value lines).")]
    [TestCase("policy: &x p\n", "c.yaml:1:9: anchors (&name) are not supported. Write the value out.")]
    [TestCase("policy: p\nstop: *x\n", "c.yaml:2:7: aliases (*name) are not supported. Write the value out.")]
    [TestCase("policy: p\n---\npolicy: q\n", "c.yaml:2:1: a second document begins here; a configuration is one document.")]
    [TestCase("policy: p\nseed: null\n", "c.yaml:2: seed is null; it must be a whole number.")]
    [TestCase("policy: p\nppo: {gamma: .nan}\n", "c.yaml:2: ppo.gamma is .nan; it must be a number.")]
    public void OneProblem(string yaml, string expected) => Assert.That(ProblemsOf(yaml), Is.EqualTo(new[] { expected }));

    [Test]
    public void BrokenYamlHasItsPlace()
    {
        string[] problems = ProblemsOf("policy: p\nstop: [a, b\nseed: 1\n");
        Assert.That(problems, Has.Length.EqualTo(1));
        Assert.That(problems[0], Does.Match("^c\\.yaml:[234]:\\d+: this is not valid YAML: "));
    }

    [Test]
    public void AMissingFileIsAConfigurationError()
    {
        ConfigurationException error = Assert.Throws<ConfigurationException>(() => ConfigBinder.Load<SampleConfig>("no/such.yaml"))!;
        Assert.That(error.Message, Is.EqualTo("Cannot read 'no/such.yaml': there is no such file. Check the path."));
        Assert.That(error.ExitCode, Is.EqualTo(ExitCode.BadConfiguration));
    }

    [TestCase("clip_range")]
    [TestCase("=3")]
    [TestCase("ppo..x=3")]
    public void AMalformedOverrideIsExplained(string text)
    {
        ConfigurationException error = Assert.Throws<ConfigurationException>(() => ConfigBinder.Load<SampleConfig>(null, [text]))!;
        Assert.That(error.Message, Is.EqualTo($"--set {text}: expected key=value with a dotted key, for example --set ppo.clip_range=0.1."));
    }

    [Test, CancelAfter(5000)]
    public void DeepAndLargeDocumentsAreRefusedAtOnce()
    {
        Assert.That(ProblemsOf("stop: " + new string('[', 200_000))[0], Does.Contain("nested too deeply; at most 24 levels are allowed."));
        Assert.That(ProblemsOf(new string('#', 2_000_000))[0], Does.StartWith("c.yaml: the file has 2000000 bytes; a configuration has at most 1048576."));
    }

    [Test]
    public void BindingNeverWritesIntoASharedDefault()
    {
        SampleConfig first = ConfigBinder.Load<SampleConfig>(null, ["policy=p", "ppo.gamma=0.5"]);
        SampleConfig second = ConfigBinder.Load<SampleConfig>(null, ["policy=p"]);
        Assert.That((first.Ppo.Gamma, second.Ppo.Gamma), Is.EqualTo((0.5f, 1f)));
    }

    /// <summary>Mutated documents end in a record or in a typed error, never in anything else. The address of each mutation is its number.</summary>
    [Test]
    public void MutatedDocumentsEndInATypedError()
    {
        const string seedText = "policy: p\nseed: 1\nstop: [a, \"b\"]\nppo:\n  gamma: 0.5\nrewards:\n  - name: x\ndata: {i: {files: [f]}}\n";
        const string alphabet = "[]{}:,-#&*!|>'\"%@` \n\tabc01.\0\u00e9";
        int refused = 0;
        for (uint i = 0; i < 600; i++)
        {
            char[] text = seedText.ToCharArray();
            for (uint k = 0; k <= i % 4; k++)
            {
                ulong bits = AddressedRandom.Bits(7, AddressedRandom.Stream.Augmentation, i, k);
                text[(int)(bits % (ulong)text.Length)] = alphabet[(int)((bits >> 32) % (ulong)alphabet.Length)];
            }

            try
            {
                ConfigBinder.Parse<SampleConfig>(new string(text));
            }
            catch (ConfigurationException)
            {
                refused++;
            }
        }

        Assert.That(refused, Is.InRange(100, 600));
    }
}
