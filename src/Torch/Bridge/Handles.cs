using Microsoft.Win32.SafeHandles;

namespace TorchSharp;

/// <summary>Owns one at::Tensor on the heap.</summary>
internal sealed class TensorHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    internal TensorHandle(nint handle) : base(ownsHandle: true) => SetHandle(handle);

    /// <summary>Gives the native tensor away; this handle is then empty.</summary>
    internal nint Release()
    {
        nint value = handle;
        SetHandleAsInvalid();
        handle = 0;
        return value;
    }

    protected override bool ReleaseHandle()
    {
        Native.tb_free(handle);
        torch.Tensor.CountDown();
        return true;
    }
}

internal sealed class GeneratorHandle : SafeHandleZeroOrMinusOneIsInvalid
{
    internal GeneratorHandle(nint handle) : base(ownsHandle: true) => SetHandle(handle);

    protected override bool ReleaseHandle()
    {
        Native.tb_free_generator(handle);
        return true;
    }
}
