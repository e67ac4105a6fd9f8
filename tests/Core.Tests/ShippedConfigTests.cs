using NUnit.Framework;

namespace Rlhf.Core.Tests;

/// <summary>Every configuration under configs/ loads, by the kind that its name tells.</summary>
public sealed class ShippedConfigTests
{
    private static readonly string[] Preference = ["dpo", "ipo", "kto", "orpo", "simpo"];

    /// <summary>Each preference method has a configuration of its name.</summary>
    [Test]
    public void EveryPreferenceMethodIsShipped([Values] PreferenceMethod method)
    {
        string path = Path.Combine(Folder(), method.ToString().ToLowerInvariant() + ".yaml");
        Assert.That(ConfigBinder.Load<PreferenceConfig>(path, []).Method, Is.EqualTo(method));
    }

    private static string Folder() => Path.Combine(Checkout.Root, "configs");

    private static IEnumerable<string> Files() => Directory.GetFiles(Folder(), "*.yaml", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(Folder(), f)).Order(StringComparer.Ordinal);

    [TestCaseSource(nameof(Files))]
    public void Loads(string name)
    {
        string path = Path.Combine(Folder(), name);
        object config = name.StartsWith("sft-", StringComparison.Ordinal) ? ConfigBinder.Load<SftConfig>(path, [])
            : name.StartsWith("reward-", StringComparison.Ordinal) ? ConfigBinder.Load<RewardModelConfig>(path, [])
            : Preference.Contains(Path.GetFileNameWithoutExtension(name)) ? ConfigBinder.Load<PreferenceConfig>(path, [])
            : Path.GetFileName(name) == "rft.yaml" ? ConfigBinder.Load<RftConfig>(path, [])
            : Path.GetFileName(name) == "ilql.yaml" ? ConfigBinder.Load<IlqlConfig>(path, [])
            : ConfigBinder.Load<RunConfig>(path, []);
        Assert.That(ConfigWriter.ToYaml(config), Is.Not.Empty);
    }

    /// <summary>configs/methods has a file for every method, named after it, and no path in it leads nowhere.</summary>
    [Test]
    public void EveryMethodHasOne([Values] MethodName method)
    {
        RunConfig run = ConfigBinder.Load<RunConfig>(Path.Combine(Folder(), "methods", MethodConfig.KeyOf(method) + ".yaml"), []);
        Assert.Multiple(() =>
        {
            Assert.That(run.Method.Name, Is.EqualTo(method));
            Assert.That(run.Policy, Does.Exist);
            Assert.That(run.Generation.Prompts, Does.Exist);
            Assert.That(run.Scoring.Rewards[0].Model, Does.Exist);
        });
    }
}
