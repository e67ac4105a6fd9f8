using System.Text;
using NUnit.Framework;

namespace Rlhf.Core.Tests;

/// <summary>docs/configuration.md is written from the configuration types. Set RLHF_APPROVE=1 to write it anew after a change.</summary>
public sealed class ConfigurationPageTests
{
    private const string Heading = """
        # Configuration

        Every field of every configuration file, written from the types that read them (`src/Core/RunConfig`). A file is YAML; `--set key=value` wins over it, with
        `section.key=value` for what is inside a section. Paths are relative to the file. Unknown keys and values out of range are errors, all told at once with line and column.


        """;

    [Test]
    public void ThePageIsTheTypes()
    {
        string page = Path.Combine(Checkout.Root, "docs", "configuration.md"), expected = Expected();
        if (Environment.GetEnvironmentVariable("RLHF_APPROVE") == "1") WholeFile.WriteAllText(page, expected);
        Assert.That(File.ReadAllText(page), Is.EqualTo(expected), "docs/configuration.md is out of date: run this test with RLHF_APPROVE=1 and look at the difference.");
    }

    private static string Expected() => new StringBuilder(Heading)
        .Append(Of<RunConfig>("run", "`rlhf run`, `rlhf-optimize policy` and the commands of the online methods; `rlhf-generate` and `rlhf-score` take what concerns them. "
            + "Defaults of section `method` are those of PPO; each other method's are in `MethodDefaults`."))
        .Append(Of<SftConfig>("sft", "`rlhf-optimize sft`."))
        .Append(Of<RewardModelConfig>("reward-model", "`rlhf-optimize reward-model`."))
        .Append(Of<PreferenceConfig>("preference", "`rlhf-optimize dpo`, `ipo`, `kto`, `orpo` and `simpo`."))
        .Append(Of<RftConfig>("rft", "`rlhf-optimize rft`."))
        .Append(Of<IlqlConfig>("ilql", "`rlhf-optimize ilql`."))
        .ToString();

    private static string Of<T>(string name, string readBy)
        where T : class => $"## {name}\n\nRead by {readBy}\n\n{ConfigReference.ToMarkdown<T>().Replace("## ", "### ", StringComparison.Ordinal)}\n";
}
