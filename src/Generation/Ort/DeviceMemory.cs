using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Rlhf.Core;

namespace Rlhf.Generation.Ort;

/// <summary>Where weights and cache lie: zeroed memory of the processor or of a device, copies within it and into it.</summary>
internal abstract class DeviceMemory
{
    public static readonly DeviceMemory Host = new HostMemory();

    /// <summary>How ONNX Runtime calls it.</summary>
    public abstract OrtMemoryInfo Info { get; }

    /// <summary>"cpu" or "cuda".</summary>
    public static DeviceMemory Of(string device) => device switch
    {
        "cpu" => Host,
        "cuda" => new CudaMemory(),
        _ => throw new ConfigurationException($"device is '{device}'; it must be cpu or cuda."),
    };

    /// <summary>Zeroed float32 values; the handle frees them.</summary>
    public abstract SafeHandle Allocate(long values, out nint address);

    /// <summary>Copies <paramref name="lines"/> runs of <paramref name="bytes"/> bytes within the memory, each line so many bytes after the one before.</summary>
    public abstract void Copy(nint from, long fromStride, nint to, long toStride, long bytes, int lines);

    /// <summary>Copies from the processor's memory; what the engine then computes may read it after <see cref="Settle"/>.</summary>
    public abstract void Upload(nint from, nint to, long bytes);

    /// <summary>Waits until all that was uploaded is there for every stream of the device.</summary>
    public abstract void Settle();

    private sealed class HostMemory : DeviceMemory
    {
        public override OrtMemoryInfo Info => OrtMemoryInfo.DefaultInstance;

        public override SafeHandle Allocate(long values, out nint address)
        {
            NativeBuffer<float> buffer = new(values);
            address = buffer.Address;
            return buffer;
        }

        public override unsafe void Copy(nint from, long fromStride, nint to, long toStride, long bytes, int lines)
        {
            for (int line = 0; line < lines; line++) Buffer.MemoryCopy((byte*)from + (line * fromStride), (byte*)to + (line * toStride), bytes, bytes);
        }

        public override unsafe void Upload(nint from, nint to, long bytes) => Buffer.MemoryCopy((void*)from, (void*)to, bytes, bytes);

        public override void Settle()
        {
            // A copy of the processor's is done when it returns.
        }
    }
}
