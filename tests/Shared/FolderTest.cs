using NUnit.Framework;

namespace Rlhf.Tests;

/// <summary>A folder for each test; its name holds a space and a quote, so that every test checks those too.</summary>
public abstract class FolderTest
{
    protected string Folder { get; private set; } = "";

    [SetUp]
    public void MakeFolder() => Folder = Directory.CreateTempSubdirectory("rlhf it's a test ").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(Folder, recursive: true);

    protected string At(string name) => Path.Combine(Folder, name);

    protected string Text(string name, string content)
    {
        File.WriteAllText(At(name), content);
        return At(name);
    }
}
