using NUnit.Framework;

namespace Rlhf.Core.Tests;

public sealed class Sha256Tests
{
    /// <summary>FIPS 180-2, appendix B.1.</summary>
    private const string Abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    [Test]
    public void KnownValue()
    {
        using TemporaryFolder folder = new();
        Assert.That(Sha256.OfText("abc"), Is.EqualTo(Abc));
        Assert.That(Sha256.OfBytes("abc"u8), Is.EqualTo(Abc));
        Assert.That(Sha256.OfFile(folder.Write("a", "abc")), Is.EqualTo(Abc));
    }

    [Test]
    public void AFolderHashSeesNamesAndBytesButNotThePlaceOrPartials()
    {
        using TemporaryFolder root = new();
        root.Write("one/a.txt", "abc");
        root.Write("one/b/c.txt", "d");
        root.Write("two/b/c.txt", "d");
        root.Write("two/a.txt", "abc");
        root.Write("two/x.partial", "half");
        root.Write("two/y.partial/z", "half");
        string one = Sha256.OfFolder(root["one"]);
        Assert.That(one, Is.EqualTo(Sha256.OfText($"{Abc} 3 a.txt\n{Sha256.OfText("d")} 1 b/c.txt\n")));
        Assert.That(Sha256.OfFolder(root["two"]), Is.EqualTo(one));
        root.Write("two/a.txt", "abd");
        Assert.That(Sha256.OfFolder(root["two"]), Is.Not.EqualTo(one));
        Assert.That(Sha256.OfFolder(root["two"], f => f.StartsWith("b/", StringComparison.Ordinal)), Is.EqualTo(Sha256.OfFolder(root["one"], f => f.StartsWith("b/", StringComparison.Ordinal))));
    }
}
