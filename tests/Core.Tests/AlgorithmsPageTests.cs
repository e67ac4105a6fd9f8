using System.Text.RegularExpressions;
using NUnit.Framework;

namespace Rlhf.Core.Tests;

/// <summary>docs/algorithms.md names what is there, and all of it.</summary>
public sealed partial class AlgorithmsPageTests
{
    private static readonly string Page = File.ReadAllText(Path.Combine(Checkout.Root, "docs", "algorithms.md"));

    private static IEnumerable<string> Named() => NamedPath().Matches(Page).Select(m => m.Groups[1].Value).Distinct().Order(StringComparer.Ordinal);

    [TestCaseSource(nameof(Named))]
    public void EveryPathExists(string path) => Assert.That(Path.Exists(Path.Combine(Checkout.Root, path)), path);

    [Test]
    public void EveryOnlineMethodHasARow([Values] MethodName method) => RowOf(MethodConfig.KeyOf(method), $"configs/methods/{MethodConfig.KeyOf(method)}.yaml");

    [Test]
    public void EveryPreferenceMethodHasARow([Values] PreferenceMethod method) => RowOf(method.ToString().ToLowerInvariant(), $"configs/{method.ToString().ToLowerInvariant()}.yaml");

    [TestCase("rft")]
    [TestCase("ilql")]
    public void OfflineMethodsHaveARow(string method) => RowOf(method, $"configs/{method}.yaml");

    [Test]
    public void EveryMethodConfigurationIsNamed()
    {
        string folder = Path.Combine(Checkout.Root, "configs", "methods");
        string[] all = [.. Directory.GetFiles(folder, "*.yaml").Select(f => $"configs/methods/{Path.GetFileName(f)}").Where(f => f != "configs/methods/base.yaml")];
        Assert.That(all.Except(Named()), Is.Empty);
    }

    private static void RowOf(string method, string config)
    {
        string? row = Page.Split('\n').FirstOrDefault(l => l.StartsWith($"| `{method}` |", StringComparison.Ordinal));
        Assert.That(row, Is.Not.Null, $"no row begins with `{method}`");
        Assert.That(row, Does.Contain($"`{config}`").And.Contain(".cs`"), "the row names its configuration and its file");
    }

    [GeneratedRegex("`((?:src|tests|configs|docs|models|data)/[A-Za-z0-9_./-]+)`")]
    private static partial Regex NamedPath();
}
