using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using NUnit.Framework;
using Rlhf.Generation.Ort;

namespace Rlhf.Generation.Tests.Ort;

public sealed class WeightInputsTests
{
    /// <summary>ONNX Runtime computes on a stream of its own: weights that come are there when the hand-over returns, and one wait is enough for all.</summary>
    [Test]
    public void TheDeviceIsWaitedForAfterTheLastUpload()
    {
        PolicyFolder folder = TestPolicies.Random();
        using InferenceSession session = new(folder.FastGraph);
        var memory = new Recorded();
        using WeightInputs weights = WeightInputs.Of(session, folder.Data, memory, 2)!;
        Assert.That(memory.Calls, Has.Count.GreaterThan(1).And.Exactly(1).EqualTo("settle"));
        Assert.That(memory.Calls[^1], Is.EqualTo("settle"));
    }

    private sealed class Recorded : DeviceMemory
    {
        public List<string> Calls { get; } = [];

        public override OrtMemoryInfo Info => Host.Info;

        public override SafeHandle Allocate(long values, out nint address) => Host.Allocate(values, out address);

        public override void Copy(nint from, long fromStride, nint to, long toStride, long bytes, int lines) => Host.Copy(from, fromStride, to, toStride, bytes, lines);

        public override void Upload(nint from, nint to, long bytes)
        {
            Host.Upload(from, to, bytes);
            lock (Calls) Calls.Add("upload");
        }

        public override void Settle() => Calls.Add("settle");
    }
}
