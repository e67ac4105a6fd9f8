using NUnit.Framework;

namespace Rlhf.Core.Tests;

public sealed class WholeFolderTests
{
    [Test]
    public void TheNewFolderTakesThePlaceOfTheOld()
    {
        using TemporaryFolder root = new();
        root.Write("model/only-old.bin", "old");
        root.Write("model/config.json", "old");
        using (WholeFolder folder = new(root["model"]))
        {
            File.WriteAllText(folder.FilePath("config.json"), "new");
            Assert.That(File.ReadAllText(root["model/config.json"]), Is.EqualTo("old"));
            folder.Complete();
        }

        Assert.That(root.Names, Is.EqualTo(new[] { "model" }));
        Assert.That(FolderListing.Of(root["model"]), Is.EqualTo(new[] { "config.json" }));
        Assert.That(File.ReadAllText(root["model/config.json"]), Is.EqualTo("new"));
    }

    [Test]
    public void WithoutCompleteTheOldFolderStays()
    {
        using TemporaryFolder root = new();
        root.Write("model/config.json", "old");
        using (WholeFolder folder = new(root["model"])) File.WriteAllText(folder.FilePath("config.json"), "new");
        Assert.That(root.Names, Is.EqualTo(new[] { "model" }));
        Assert.That(File.ReadAllText(root["model/config.json"]), Is.EqualTo("old"));
    }

    [Test]
    public void ALeftOverOfAKilledWriterIsCleared()
    {
        using TemporaryFolder root = new();
        root.Write("model.partial/half.bin", "x");
        using WholeFolder folder = new(root["model"]);
        File.WriteAllText(folder.FilePath("a"), "a");
        folder.Complete();
        Assert.That(FolderListing.Of(root["model"]), Is.EqualTo(new[] { "a" }));
    }

    [Test]
    public void AReplacementCutShortIsRecovered()
    {
        using TemporaryFolder root = new();
        root.Write("model.replaced/config.json", "old");
        WholeFolder.Recover(root["model"]);
        Assert.That(root.Names, Is.EqualTo(new[] { "model" }));
        root.Write("model.replaced/config.json", "older");
        WholeFolder.Recover(root["model"]);
        Assert.That(root.Names, Is.EqualTo(new[] { "model" }));
        Assert.That(File.ReadAllText(root["model/config.json"]), Is.EqualTo("old"));
    }

    [Test]
    public void AFileOfThatNameIsAnError()
    {
        using TemporaryFolder root = new();
        root.Write("model", "");
        BadDataException error = Assert.Throws<BadDataException>(() => new WholeFolder(root["model"]))!;
        Assert.That(error.Message, Is.EqualTo($"Cannot write '{root["model"]}': a file has this name. Check the path and the device."));
    }
}
