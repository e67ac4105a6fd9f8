using System.Runtime.InteropServices;

namespace TorchSharp;

/// <summary>
/// TorchSharp's entry point. Functions have the names and parameters of TorchSharp (which follow PyTorch's); this is a strict subset of
/// its public surface, held by a test, so that code written against it also compiles against the TorchSharp packages.
/// </summary>
public static partial class torch
{
    /// <summary>The version of libtorch.</summary>
    public static string __version__ => Marshal.PtrToStringUTF8(Native.tb_version())!;

    public static DisposeScope? CurrentDisposeScope => DisposeScopeManager.Current.Innermost;

    public static DisposeScope NewDisposeScope() => DisposeScopeManager.Current.Open();

    /// <summary>Evaluates in a scope of its own; only the result survives.</summary>
    public static Tensor WrappedTensorDisposeScope(Func<Tensor> expr)
    {
        using DisposeScope scope = NewDisposeScope();
        return expr().MoveToOuterDisposeScope();
    }

    /// <summary>Threads inside one operator (OpenMP; OpenBLAS follows it).</summary>
    public static int get_num_threads() => Native.tb_threads();

    public static void set_num_threads(int num) => Native.Check(Native.tb_set_threads(num));

    /// <summary>Threads between operators; can be set once, before the first use.</summary>
    public static int get_num_interop_threads() => Native.tb_interop_threads();

    public static void set_num_interop_threads(int num) => Native.Check(Native.tb_set_interop_threads(num));

    public static bool is_grad_enabled() => Native.tb_grad_mode() != 0;

    public static bool is_inference_mode_enabled() => Native.tb_is_inference_mode() != 0;

    /// <summary>Until disposed, operations of this thread are not recorded.</summary>
    public static IDisposable no_grad() => new GradMode(false);

    public static IDisposable enable_grad(bool enabled = true) => new GradMode(enabled);

    public static IDisposable set_grad_enabled(bool mode = true) => new GradMode(mode);

    public static IDisposable inference_mode(bool mode = true) => new InferenceModeGuard(mode);

    public static bool cuda_is_available() => cuda.is_available();

    public static bool TryInitializeDeviceType(DeviceType deviceType) => deviceType == DeviceType.CPU || (deviceType == DeviceType.CUDA && cuda.is_available());

    public static void InitializeDeviceType(DeviceType deviceType)
    {
        if (!TryInitializeDeviceType(deviceType))
            throw new InvalidOperationException($"device type {deviceType} is not available: libtorch {__version__} sees no such device");
    }

    public static bool is_tensor(object obj) => obj is Tensor;

    private sealed class GradMode : IDisposable
    {
        private readonly bool _before = is_grad_enabled();
        private bool _disposed;

        internal GradMode(bool enabled) => Native.tb_set_grad_mode(enabled ? 1 : 0);

        public void Dispose()
        {
            if (_disposed) return;
            _disposed = true;
            Native.tb_set_grad_mode(_before ? 1 : 0);
        }
    }

    private sealed class InferenceModeGuard(bool enabled) : IDisposable
    {
        private nint _guard = Native.tb_enter_inference_mode(enabled ? 1 : 0);

        public void Dispose()
        {
            if (_guard == 0) return;
            Native.tb_leave_inference_mode(_guard);
            _guard = 0;
        }
    }

    /// <summary>CUDA devices, where libtorch was built for them and the machine has them.</summary>
    public static class cuda
    {
        public static bool is_available() => Native.tb_cuda_is_available() > 0;

        public static bool is_cudnn_available() => Native.tb_cuda_is_cudnn_available() > 0;

        public static int device_count() => Native.tb_cuda_device_count();

        public static void manual_seed(long seed) => Native.Check(Native.tb_cuda_manual_seed(seed, 0));

        public static void manual_seed_all(long seed) => Native.Check(Native.tb_cuda_manual_seed(seed, 1));

        /// <summary>Waits until the device has done all that was asked of it.</summary>
        public static void synchronize(Device? device = null) => Native.Check(Native.tb_cuda_synchronize(device is null ? -1 : device.index));
    }
}
