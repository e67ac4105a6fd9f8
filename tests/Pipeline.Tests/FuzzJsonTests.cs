using System.Text;
using System.Text.Json.Nodes;
using Rlhf.Pipeline.Bench;

namespace Rlhf.Pipeline.Tests;

/// <summary>What the fuzzer makes of JSON: still JSON, one change each, and among them those that flipped bytes never give.</summary>
public sealed class FuzzJsonTests
{
    private const string Document = """{"decoder":{"type":"Sequence","decoders":[{"type":"Fuse"}]},"single":[1,2],"bos_token_id":0}""";

    [Test]
    public void EveryKindOfChangeIsMadeAndMadeAgain()
    {
        HashSet<string> made = [];
        for (uint number = 0; number < 4000; number++)
        {
            string text = Mutated(Document, number);
            Assert.That(Mutated(Document, number), Is.EqualTo(text), "of seed and number alone");
            made.Add(text);
        }

        Assert.That(made, Is.SupersetOf(new[]
        {
            Document.Replace("""{"type":"Sequence","decoders":[{"type":"Fuse"}]}""", "{}", StringComparison.Ordinal),
            Document.Replace(""","decoders":[{"type":"Fuse"}]""", "", StringComparison.Ordinal),
            Document.Replace("[1,2]", "[]", StringComparison.Ordinal),
            Document.Replace("[1,2]", "null", StringComparison.Ordinal),
            Document.Replace("[1,2]", "[1,1,2]", StringComparison.Ordinal),
            Document.Replace("\"Fuse\"", "[]", StringComparison.Ordinal),
            Document.Replace("_id\":0", "_id\":-1", StringComparison.Ordinal),
            Document.Replace("_id\":0", "_id\":2147483648", StringComparison.Ordinal),
        }));
    }

    [Test]
    public void OfLinesOneIsChanged()
    {
        for (uint number = 0; number < 200; number++)
        {
            string[] lines = Mutated("{\"a\":1}\n{\"a\":2}\n{\"a\":3}", number).Split('\n');
            Assert.That(lines, Has.Length.EqualTo(3));
            Assert.That(lines.Where((l, i) => l != $"{{\"a\":{i + 1}}}").Count(), Is.LessThanOrEqualTo(1));
        }
    }

    private static string Mutated(string document, uint number)
    {
        uint draw = 0;
        string text = Encoding.UTF8.GetString(FuzzJson.Mutate(Encoding.UTF8.GetBytes(document), below => (int)(Core.AddressedRandom.Bits(5, Core.AddressedRandom.Stream.Augmentation, number, draw++) % (ulong)below)));
        Assert.That(() => text.Split('\n').Select(l => JsonNode.Parse(l)).ToArray(), Throws.Nothing);
        return text;
    }
}
