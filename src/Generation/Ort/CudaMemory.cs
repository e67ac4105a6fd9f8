using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Rlhf.Core;

namespace Rlhf.Generation.Ort;

/// <summary>
/// Memory of the first CUDA device, through the CUDA runtime library that ONNX Runtime's CUDA provider itself needs. Clearing, copies and the last of
/// some uploads end with a synchronisation, since ONNX Runtime computes on a stream of its own. Written against the documented interface; not yet run on a device.
/// </summary>
internal sealed partial class CudaMemory : DeviceMemory
{
    private const string Library = "cudart";
    private const int HostToDevice = 1, DeviceToDevice = 3;

    private static readonly string[] Names = ["libcudart.so.13", "libcudart.so.12", "libcudart.so"];

    static CudaMemory() => NativeLibrary.SetDllImportResolver(typeof(CudaMemory).Assembly, (name, assembly, path) =>
        name == Library && Names.Select(n => NativeLibrary.TryLoad(n, out nint handle) ? handle : 0).FirstOrDefault(h => h != 0) is var found ? found : 0);

    public override OrtMemoryInfo Info { get; } = new("Cuda", OrtAllocatorType.DeviceAllocator, 0, OrtMemType.Default);

    public override SafeHandle Allocate(long values, out nint address)
    {
        nuint bytes = checked((nuint)(values * sizeof(float)));
        Check(Malloc(out address, bytes), "to allocate device memory; use a smaller batch size");
        Allocation allocation = new(address);
        Check(Memset(address, 0, bytes), "to clear device memory");
        Settle();
        return allocation;
    }

    public override void Copy(nint from, long fromStride, nint to, long toStride, long bytes, int lines)
    {
        Check(Memcpy2D(to, (nuint)toStride, from, (nuint)fromStride, (nuint)bytes, (nuint)lines, DeviceToDevice), "to copy on the device");
        Settle();
    }

    public override void Upload(nint from, nint to, long bytes) => Check(Memcpy(to, from, (nuint)bytes, HostToDevice), "to copy weights to the device");

    public override void Settle() => Check(DeviceSynchronize(), "to wait for the device");

    private static void Check(int status, string what)
    {
        if (status != 0) throw new EngineException(FormattableString.Invariant($"CUDA failed {what} (error {status}). Run './rlhf doctor', or use --device cpu."));
    }

    [LibraryImport(Library, EntryPoint = "cudaMalloc")]
    private static partial int Malloc(out nint address, nuint bytes);

    [LibraryImport(Library, EntryPoint = "cudaFree")]
    private static partial int Free(nint address);

    [LibraryImport(Library, EntryPoint = "cudaMemset")]
    private static partial int Memset(nint address, int value, nuint bytes);

    [LibraryImport(Library, EntryPoint = "cudaMemcpy")]
    private static partial int Memcpy(nint to, nint from, nuint bytes, int kind);

    [LibraryImport(Library, EntryPoint = "cudaMemcpy2D")]
    private static partial int Memcpy2D(nint to, nuint toStride, nint from, nuint fromStride, nuint width, nuint height, int kind);

    [LibraryImport(Library, EntryPoint = "cudaDeviceSynchronize")]
    private static partial int DeviceSynchronize();

    private sealed class Allocation : SafeHandle
    {
        public Allocation(nint address) : base(0, ownsHandle: true) => SetHandle(address);

        public override bool IsInvalid => handle == 0;

        protected override bool ReleaseHandle() => Free(handle) == 0;
    }
}
