using NUnit.Framework;

namespace Rlhf.Export.Tests;

/// <summary>A folder that goes when the test ends, with a tokenizer.json of sorts in it.</summary>
internal sealed class TestFolder : IDisposable
{
    public TestFolder()
    {
        Path = Directory.CreateTempSubdirectory("rlhf-export-").FullName;
        File.WriteAllText(In("tokenizer.json"), "{}");
    }

    public string Path { get; }

    public string In(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);

    /// <summary>Largest absolute difference of numbers that should be equal.</summary>
    public static double Worst(ReadOnlySpan<float> found, IReadOnlyList<double> expected)
    {
        Assert.That(found.Length, Is.EqualTo(expected.Count));
        double worst = 0;
        for (int i = 0; i < found.Length; i++) worst = double.IsNaN(found[i]) ? double.NaN : Math.Max(worst, Math.Abs(found[i] - expected[i]));
        return worst;
    }
}
