using NUnit.Framework;
using System.Text;

namespace Rlhf.Tokenization.Tests;

/// <summary>The version that <c>rlhf doctor</c> and run manifests tell for GenAI is the one that stands in the native library.</summary>
public sealed class EngineVersionTests
{
    [Test]
    public void TheBindingsVersionStandsInTheNativeLibrary()
    {
        string version = typeof(Microsoft.ML.OnnxRuntimeGenAI.Model).Assembly.GetName().Version!.ToString(3);
        byte[] library = File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "libonnxruntime-genai.so"));
        Assert.That(library.AsSpan().IndexOf(Encoding.ASCII.GetBytes($"\0{version}\0")), Is.GreaterThan(0), $"{version} is not a string of libonnxruntime-genai.so");
    }
}
