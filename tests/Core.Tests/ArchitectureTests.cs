using NUnit.Framework;

using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Rlhf.Core.Tests;

/// <summary>docs/architecture.md is the law: a project references only what its row of the table allows.</summary>
public sealed class ArchitectureTests
{
    private static readonly string[] Engines = ["OnnxRuntime", "OnnxRuntimeGenAI"];

    [TestCaseSource(nameof(Projects))]
    public void AProjectReferencesOnlyWhatTheTableAllows(string project)
    {
        IReadOnlyDictionary<string, string[]> allowed = AllowedReferences();
        Assert.That(allowed, Contains.Key(project), $"docs/architecture.md has no row for src/{project}");
        if (allowed[project] is ["all"]) return;

        string[] found = [.. References(project).Select(r => Engines.Contains(r) ? "Engines" : r).Distinct()];
        Assert.That(found, Is.SubsetOf(allowed[project]), $"src/{project} references what docs/architecture.md does not allow");
    }

    [Test]
    public void NoProjectReachesItselfThroughItsReferences()
    {
        foreach (string project in Projects())
        {
            var seen = new HashSet<string>();
            var open = new Stack<string>(References(project));
            while (open.TryPop(out string? next))
            {
                Assert.That(next, Is.Not.EqualTo(project), $"src/{project} is part of a circle");
                if (seen.Add(next) && !Engines.Contains(next)) References(next).ToList().ForEach(open.Push);
            }
        }
    }

    [TestCaseSource(nameof(Documents))]
    public void EveryRelativeLinkOfADocumentLeadsToAFile(string document)
    {
        string path = Path.Combine(Checkout.Root, document), folder = Path.GetDirectoryName(path)!;
        string[] broken =
        [
            .. Regex.Matches(File.ReadAllText(path), @"\]\((?!https?:|#)([^)#\s]+)[^)]*\)").Select(m => m.Groups[1].Value)
                .Where(link => !Path.Exists(Path.Combine(folder, link))),
        ];
        Assert.That(broken, Is.Empty, $"{document} links to what does not exist");
    }

    private static IEnumerable<string> Projects() =>
        Directory.GetDirectories(Path.Combine(Checkout.Root, "src")).Select(d => Path.GetFileName(d)!).Where(name => name != "Engines").Order();

    private static IEnumerable<string> Documents() => Directory.GetFiles(Path.Combine(Checkout.Root, "docs"), "*.md")
        .Append(Path.Combine(Checkout.Root, "README.md")).Append(Path.Combine(Checkout.Root, "native", "README.md")).Append(Path.Combine(Checkout.Root, "src", "Export", "README.md"))
        .Select(path => Path.GetRelativePath(Checkout.Root, path)).Order();

    private static IEnumerable<string> References(string project)
    {
        string file = Directory.GetFiles(Path.Combine(Checkout.Root, "src", project), "*.csproj").Single();
        return XDocument.Load(file).Descendants("ProjectReference").Select(r => Path.GetFileName(Path.GetDirectoryName(r.Attribute("Include")!.Value))!);
    }

    /// <summary>Project → what the last column of its row names.</summary>
    private static IReadOnlyDictionary<string, string[]> AllowedReferences()
    {
        var allowed = new Dictionary<string, string[]>();
        foreach (string line in File.ReadLines(Path.Combine(Checkout.Root, "docs", "architecture.md")).Where(l => l.StartsWith("| `")))
        {
            string[] cells = [.. line.Trim('|').Split('|').Select(c => c.Trim())];
            string project = Regex.Match(cells[0], "`([^`]+)`").Groups[1].Value;
            allowed[project] = cells[^1] is "–" or "nothing" ? [] : cells[^1].Split(", ");
        }

        return allowed;
    }
}
