using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntimeGenAI;
using NUnit.Framework;

namespace Rlhf.Tokenization.Tests;

/// <summary>Both native engines come from the output folder and live in one process.</summary>
public sealed class EnginesLoadTests
{
    [Test]
    public void OnnxRuntimeAndGenAILoadInOneProcess()
    {
        string version = OrtEnv.Instance().GetVersionString();
        Assert.That(Version.Parse(version), Is.GreaterThanOrEqualTo(new Version(1, 23)), "ONNX Runtime");

        // A folder that is not a model: the answer comes from GenAI's native library, as a message and not as a crash.
        string empty = Directory.CreateTempSubdirectory("rlhf-genai-").FullName;
        try
        {
            Assert.That(() => new Model(empty), Throws.InstanceOf<OnnxRuntimeGenAIException>().With.Message.Contains("genai_config.json"));
        }
        finally
        {
            Directory.Delete(empty, recursive: true);
        }

        using SessionOptions options = new();
        options.IntraOpNumThreads = 1;
        Assert.That(options.IntraOpNumThreads, Is.EqualTo(1), "ONNX Runtime answers after GenAI was loaded");
    }
}
