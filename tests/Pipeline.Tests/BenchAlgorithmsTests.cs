using System.Text.Json;
using Rlhf.Core;
using Rlhf.Pipeline.Bench;

namespace Rlhf.Pipeline.Tests;

/// <summary><c>rlhf bench algorithms</c>, as small as it goes: one seed, the quickest method.</summary>
public sealed class BenchAlgorithmsTests
{
    [Test, CancelAfter(120_000)]
    public void TheTableIsMadeAgainFromSeeds()
    {
        Ended first = Programs.Rlhf("bench", "algorithms", "--seeds", "1", "--only", "rft", "--json"), second = Programs.Rlhf("bench", "algorithms", "--seeds", "1", "--only", "rft", "--json");
        Assert.That(first.Code, Is.Zero, first.ToString());
        (double before, double after) = Numbers(first);
        (double Before, double After) again = Numbers(second);
        Assert.Multiple(() =>
        {
            Assert.That(after, Is.GreaterThan(before + 0.15));
            Assert.That(again, Is.EqualTo((before, after)), "the same seed, the same numbers");
        });
    }

    [Test]
    public void AMethodThatIsNotThereIsExitCode2() => Assert.That(Programs.Rlhf("bench", "algorithms", "--seeds", "1", "--only", "nothing").Code, Is.EqualTo(2));

    [Test]
    public void EveryRecipeIsAConfiguration()
    {
        foreach (string name in WalkRecipes.Online) Assert.That(MethodConfig.KeyOf(WalkRecipes.Of(name, 3).Method.Name), Is.EqualTo(name == "reinforce_value" ? "reinforce" : name));
        Assert.That(WalkRecipes.Online, Has.Count.EqualTo(Enum.GetValues<MethodName>().Length + 1), "all methods, REINFORCE with two baselines");
    }

    [Test]
    public void ATableIsPutBetweenItsMarks()
    {
        var table = new AlgorithmTable("walks", ["a", "b"], [["1", "x|y"]], 0);
        const string page = "# P\n<!-- results: walks -->\nold\n<!-- end -->\nrest\n<!-- results: other -->\nkeep\n<!-- end -->\n";
        Assert.That(
            table.PutInto(page, "page.md", "note"),
            Is.EqualTo("# P\n<!-- results: walks -->\nnote\n\n| a | b |\n| --- | --- |\n| 1 | x\\|y |\n<!-- end -->\nrest\n<!-- results: other -->\nkeep\n<!-- end -->\n"));
        Assert.Throws<BadDataException>(() => table.PutInto("# P\n", "page.md", "note"));
    }

    private static (double Before, double After) Numbers(Ended ended)
    {
        using JsonDocument json = JsonDocument.Parse(ended.Output);
        JsonElement row = json.RootElement.GetProperty("walks")[0];
        return (row.GetProperty("Before")[0].GetDouble(), row.GetProperty("After")[0].GetDouble());
    }
}
