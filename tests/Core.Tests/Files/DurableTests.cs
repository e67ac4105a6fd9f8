using NUnit.Framework;

namespace Rlhf.Core.Tests;

public sealed class DurableTests
{
    [Test]
    public void FoldersAreMadeWithThoseAboveThem()
    {
        using TemporaryFolder folder = new();
        Durable.CreateFolder(folder["a/b/c"] + Path.DirectorySeparatorChar);
        Durable.CreateFolder(folder["a/b/c"]);
        Assert.That(folder["a/b/c"], Does.Exist);
        folder.Write("file", "x");
        Assert.That(() => Durable.CreateFolder(folder["file/inside"]), Throws.InstanceOf<IOException>());
    }

    /// <summary>A flush that did not happen is an error: a name that may be lost must not be counted as safe.</summary>
    [Test]
    public void AFolderThatCannotBeFlushedIsTold()
    {
        if (!OperatingSystem.IsLinux()) Assert.Ignore("skipped: folders are flushed on Linux alone");
        using TemporaryFolder folder = new();
        Durable.FlushFolder(folder.Path);
        Assert.That(() => Durable.FlushFolder(folder["absent"]), Throws.InstanceOf<IOException>().With.Message.StartsWith(folder["absent"]));
        Assert.That(() => Durable.FlushFolder("/proc"), Throws.Nothing, "a file system without the step");
    }
}
