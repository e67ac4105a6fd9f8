using NUnit.Framework;

namespace Rlhf.Core.Tests;

public sealed class ConfigWriterTests
{
    private static readonly SampleConfig Sample = new()
    {
        Policy = "/models/tiny",
        Seed = ulong.MaxValue,
        Prefix = "a \"b\"\nc: d # e é \U0001F600",
        Stop = ["true", "12", "", "null", "plain", "- x", "~"],
        Ppo = new SamplePpo { ClipRange = 0.1, TargetKl = 3e-6, Gamma = 0.99f },
        Rewards = [new SampleReward { Name = "a" }, new SampleReward { Name = "b", Weight = -1e20 }],
        Data = new Dictionary<string, SampleData> { ["z set"] = new() { Files = ["/x"] }, ["b"] = new() },
    };

    [Test]
    public void TheTextIsStable() => Assert.That(ConfigWriter.ToYaml(Sample), Is.EqualTo(
        """
        policy: /models/tiny
        seed: 18446744073709551615
        rollouts_per_iteration: 64
        prefix: "a \"b\"\nc: d # e é \uD83D\uDE00"
        schedule: constant
        device: cpu
        stop: ["true", "12", "", "null", plain, "- x", "~"]
        ppo:
          clip_range: 0.1
          minibatch_size: 16
          gamma: 0.99
          target_kl: 3e-06
          whiten: true
        rewards:
          - name: a
            weight: 1
          - name: b
            weight: -1e+20
        data:
          b:
            files: []
          "z set":
            files: [/x]

        """));

    [Test]
    public void WhatIsWrittenIsReadBackEqual()
    {
        SampleConfig back = ConfigBinder.Parse<SampleConfig>(ConfigWriter.ToYaml(Sample));
        Assert.That(ConfigWriter.ToYaml(back), Is.EqualTo(ConfigWriter.ToYaml(Sample)));
        Assert.That(back.Prefix, Is.EqualTo(Sample.Prefix));
        Assert.That(back.Stop, Is.EqualTo(Sample.Stop));
        Assert.That(back.Ppo, Is.EqualTo(Sample.Ppo));
        Assert.That(back.Rewards, Is.EqualTo(Sample.Rewards));
    }

    /// <summary>Numbers survive bit for bit, whatever their size.</summary>
    [Test]
    public void NumbersSurviveExactly()
    {
        double[] numbers = [0.1, 1.0 / 3, 1e-300, double.Epsilon, double.MaxValue, 123456789012345678, -0.30000000000000004, 1e15, 99999999999999.98, 1e-5];
        foreach (double number in numbers)
        {
            SampleConfig back = ConfigBinder.Parse<SampleConfig>(ConfigWriter.ToYaml(new SampleConfig { Policy = "/p", Rewards = [new SampleReward { Name = "x", Weight = number }] }));
            Assert.That(back.Rewards[0].Weight, Is.EqualTo(number));
        }
    }

    [Test]
    public void DifferencesAreNamedInOrder()
    {
        SampleConfig other = Sample with
        {
            Seed = 3,
            Ppo = Sample.Ppo with { MinibatchSize = 32 },
            Rewards = [new SampleReward { Name = "a" }],
        };
        IReadOnlyList<ConfigDifference> differences = ConfigDifference.Between(Sample, other);
        Assert.That(differences.Select(d => d.ToString()), Is.EqualTo(new[]
        {
            "seed: 18446744073709551615 → 3",
            "ppo.minibatch_size: 16 → 32",
            "rewards.1.name: b → (absent)",
            "rewards.1.weight: -1e+20 → (absent)",
        }));
        Assert.That(differences.Select(d => d.IsSafeToChange), Is.EqualTo(new[] { false, true, false, false }));
        Assert.That(ConfigDifference.Between(Sample, Sample with { }), Is.Empty);
    }

    [Test]
    public void TheReferenceComesFromTheTypes() => Assert.That(ConfigReference.ToMarkdown<SampleConfig>(), Is.EqualTo(
        """
        ## Top level

        A configuration that has one of everything.

        | key | type | default | allowed | meaning |
        | --- | --- | --- | --- | --- |
        | `policy` | path | **required** |  | Where the policy lies. |
        | `seed` | integer | `17` |  | Seed of the run. |
        | `rollouts_per_iteration` | integer | `64` | at least 1 | Responses drawn an iteration. |
        | `prefix` | text | none |  | Text before every prompt. |
        | `schedule` | choice | `constant` | `constant`, `linear_decay` | How the learning rate goes. |
        | `device` | text | `cpu` | `cpu`, `cuda` | Where it runs. |
        | `stop` | list | `[]` |  | Words that end a response. |
        | `ppo` | section | see below |  | The algorithm. |
        | `rewards` | list | `[]` |  | What is rewarded. |
        | `data` | named values | none |  | Named data sets. |

        ## ppo

        Proximal policy optimisation.

        | key | type | default | allowed | meaning |
        | --- | --- | --- | --- | --- |
        | `clip_range` | number | `0.25` | between 0 and 1 | ε of the clipped surrogate. |
        | `minibatch_size` | integer | `16` | at least 1 | Responses a step. |
        | `gamma` | number | `1` | greater than 0 and at most 1 | Discount. |
        | `target_kl` | number | none | at least 0 | Stop early above this KL; none to go on. |
        | `whiten` | boolean | `true` |  | Whiten the advantages. |

        ## rewards[]

        | key | type | default | allowed | meaning |
        | --- | --- | --- | --- | --- |
        | `name` | text | **required** |  | Its name. |
        | `weight` | number | `1` |  | Its weight. |

        ## data.NAME

        | key | type | default | allowed | meaning |
        | --- | --- | --- | --- | --- |
        | `files` | list of paths | `[]` |  | Files. |

        """));
}
