using NUnit.Framework;

namespace Rlhf.Core.Tests;

public sealed class WholeFileTests
{
    [Test]
    public void TheNameAppearsOnlyWhenComplete()
    {
        using TemporaryFolder folder = new();
        using (WholeFile file = new(folder["a/b.txt"]))
        {
            file.Stream.Write("new"u8);
            Assert.That(File.Exists(folder["a/b.txt"]), Is.False);
            file.Complete();
        }

        Assert.That(File.ReadAllText(folder["a/b.txt"]), Is.EqualTo("new"));
        Assert.That(Directory.GetFiles(folder["a"]), Has.Length.EqualTo(1));
    }

    [Test]
    public void WithoutCompleteTheOlderFileStaysAndThePartialGoes()
    {
        using TemporaryFolder folder = new();
        folder.Write("b.txt", "old");
        using (WholeFile file = new(folder["b.txt"])) file.Stream.Write("half"u8);
        Assert.That(File.ReadAllText(folder["b.txt"]), Is.EqualTo("old"));
        Assert.That(folder.Names, Is.EqualTo(new[] { "b.txt" }));
    }

    [Test]
    public void AWriterMayUseThePathInsteadOfTheStream()
    {
        using TemporaryFolder folder = new();
        using WholeFile file = new(folder["b.txt"]);
        File.WriteAllText(file.PartialPath, "by path");
        file.Complete();
        Assert.That(File.ReadAllText(folder["b.txt"]), Is.EqualTo("by path"));
    }

    [Test]
    public void ASerializerMayCloseTheStream()
    {
        using TemporaryFolder folder = new();
        using WholeFile file = new(folder["b.txt"]);
        using (StreamWriter writer = new(file.Stream)) writer.Write("closed");
        file.Complete();
        Assert.That(File.ReadAllText(folder["b.txt"]), Is.EqualTo("closed"));
    }

    [Test]
    public void AFolderOfThatNameIsNamed()
    {
        using TemporaryFolder folder = new();
        Directory.CreateDirectory(folder["b.txt"]);
        BadDataException error = Assert.Throws<BadDataException>(() => WholeFile.WriteAllText(folder["b.txt"], "x"))!;
        Assert.That(error.Message, Is.EqualTo($"Cannot write '{folder["b.txt"]}': a folder has this name. Choose another name."));
    }

    [Test]
    public void AFileWhereAFolderShouldBeIsAnError()
    {
        using TemporaryFolder folder = new();
        folder.Write("file", "");
        BadDataException error = Assert.Throws<BadDataException>(() => WholeFile.WriteAllText(folder["file/b.txt"], "x"))!;
        Assert.That(error.Message, Does.StartWith($"Cannot write '{folder["file/b.txt"]}': "));
        Assert.That(error.ExitCode, Is.EqualTo(ExitCode.BadData));
    }

    /// <summary>/dev/full takes every open and refuses every byte: a full disk without filling one.</summary>
    [Test]
    public void AFullDiskIsNamed()
    {
        if (!File.Exists("/dev/full")) Assert.Ignore("skipped: no /dev/full on this system");
        IOException raw = Assert.Throws<IOException>(() =>
        {
            using FileStream full = new("/dev/full", FileMode.Open, FileAccess.Write, FileShare.ReadWrite, 0);
            full.WriteByte(1);
        })!;
        Assert.That(FileErrors.IsDiskFull(raw));
        Assert.That(
            FileErrors.ForWriting("runs/a.parquet", raw).Message,
            Is.EqualTo("Cannot write 'runs/a.parquet': the disk is full. Free some space or choose another folder; nothing half-written was left under this name."));
    }

    /// <summary>The whole path through a stream that is full: typed error from the write or the flush, old file intact, no partial left.</summary>
    [Test]
    public void AFullDiskLeavesTheOlderFile()
    {
        if (!File.Exists("/dev/full")) Assert.Ignore("skipped: no /dev/full on this system");
        using TemporaryFolder folder = new();
        folder.Write("b.txt", "old");
        using (WholeFile file = new(folder["b.txt"]))
        {
            File.Delete(file.PartialPath);
            File.CreateSymbolicLink(file.PartialPath, "/dev/full");
            BadDataException error = Assert.Throws<BadDataException>(() =>
            {
                file.Stream.Write(new byte[1 << 20]);
                file.Complete();
            })!;
            Assert.That(error.Message, Does.Contain("the disk is full"));
        }

        Assert.That(File.ReadAllText(folder["b.txt"]), Is.EqualTo("old"));
        Assert.That(folder.Names, Is.EqualTo(new[] { "b.txt" }));
    }

    [Test]
    public void AMissingFileIsNamedOnReading()
    {
        BadDataException error = Assert.Throws<BadDataException>(() => Sha256.OfFile("no/such.bin"))!;
        Assert.That(error.Message, Is.EqualTo("Cannot read 'no/such.bin': there is no such file. Check the path."));
    }
}
