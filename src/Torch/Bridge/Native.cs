using System.Runtime.InteropServices;

namespace TorchSharp;

/// <summary>One packed argument or result; the layout is that of <c>Arg</c> in torch_bridge.cpp.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NativeArg
{
    public ArgTag Tag;
    public int Length;
    public long Bits;
}

internal enum ArgTag
{
    Default = 0, None = 1, Tensor = 2, Int = 3, Double = 4, Bool = 5, IntList = 6, TensorList = 7, DoubleList = 8, String = 9, Device = 10, Generator = 11,
}

/// <summary>The C interface of the bridge, one line a function. What each does is said in native/torch_bridge/torch_bridge.cpp.</summary>
internal static unsafe partial class Native
{
    internal const string Library = "rlhf_torch";

    static Native()
    {
        BridgeLoader.Register();
        if (Environment.GetEnvironmentVariable("RLHF_KEEP_FREED_MEMORY") != "0") tb_keep_freed_memory();
    }

    [LibraryImport(Library)] internal static partial nint tb_last_error();
    [LibraryImport(Library)] internal static partial nint tb_version();
    [LibraryImport(Library)] internal static partial long tb_live_tensors();
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial nint tb_operator(string name, string overload);
    [LibraryImport(Library)] internal static partial int tb_call(nint op, NativeArg* args, int count, NativeArg* results, int capacity);
    [LibraryImport(Library)] internal static partial void tb_results(NativeArg* results, int count);

    [LibraryImport(Library)] internal static partial void tb_free(nint tensor);
    [LibraryImport(Library)] internal static partial nint tb_from_blob(void* data, long* sizes, int rank, int dtype, delegate* unmanaged<nint, void> deleter, nint context);
    [LibraryImport(Library)] internal static partial nint tb_from_copy(void* data, long* sizes, int rank, int dtype);
    [LibraryImport(Library)] internal static partial nint tb_alias(nint tensor);
    [LibraryImport(Library)] internal static partial nint tb_data(nint tensor);
    [LibraryImport(Library)][SuppressGCTransition] internal static partial int tb_dim(nint tensor);
    [LibraryImport(Library)][SuppressGCTransition] internal static partial long tb_numel(nint tensor);
    [LibraryImport(Library)][SuppressGCTransition] internal static partial int tb_dtype(nint tensor);
    [LibraryImport(Library)][SuppressGCTransition] internal static partial long tb_element_size(nint tensor);
    [LibraryImport(Library)] internal static partial long tb_storage_offset(nint tensor);
    [LibraryImport(Library)] internal static partial int tb_is_contiguous(nint tensor);
    [LibraryImport(Library)][SuppressGCTransition] internal static partial long tb_identity(nint tensor);
    [LibraryImport(Library)] internal static partial void tb_sizes(nint tensor, long* sizes);
    [LibraryImport(Library)] internal static partial void tb_strides(nint tensor, long* strides);
    [LibraryImport(Library)][SuppressGCTransition] internal static partial long tb_device(nint tensor);

    [LibraryImport(Library)][SuppressGCTransition] internal static partial int tb_requires_grad(nint tensor);
    [LibraryImport(Library)] internal static partial int tb_set_requires_grad(nint tensor, int value);
    [LibraryImport(Library)] internal static partial int tb_is_leaf(nint tensor);
    [LibraryImport(Library)] internal static partial int tb_retain_grad(nint tensor);
    [LibraryImport(Library)] internal static partial nint tb_grad(nint tensor);
    [LibraryImport(Library)] internal static partial int tb_set_grad(nint tensor, nint grad);
    [LibraryImport(Library)] internal static partial int tb_backward(nint* tensors, int count, nint* grads, int gradCount, int retain, int create, nint* inputs, int inputCount);
    [LibraryImport(Library)] internal static partial int tb_autograd_grad(nint* outputs, int count, nint* inputs, int inputCount, nint* grads, int gradCount, int retain, int create, int allowUnused, nint* results);
    [LibraryImport(Library)] internal static partial int tb_grad_mode();
    [LibraryImport(Library)] internal static partial void tb_set_grad_mode(int enabled);
    [LibraryImport(Library)] internal static partial int tb_is_inference_mode();
    [LibraryImport(Library)] internal static partial nint tb_enter_inference_mode(int enabled);
    [LibraryImport(Library)] internal static partial void tb_leave_inference_mode(nint guard);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int tb_record_function(string name, nint* inputs, int inputCount, nint* outputs, int outputCount,
        delegate* unmanaged<nint, nint*, int, nint*, int, nint> backward, delegate* unmanaged<nint, int, void> release, nint context);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial nint tb_message(string text);

    [LibraryImport(Library)] internal static partial int tb_manual_seed(long seed);
    [LibraryImport(Library)] internal static partial nint tb_default_generator(long device);
    [LibraryImport(Library)] internal static partial nint tb_new_generator(long device, long seed);
    [LibraryImport(Library)] internal static partial void tb_free_generator(nint generator);
    [LibraryImport(Library)] internal static partial int tb_generator_seed(nint generator, long seed);
    [LibraryImport(Library)] internal static partial long tb_generator_initial_seed(nint generator);
    [LibraryImport(Library)] internal static partial nint tb_generator_state(nint generator);
    [LibraryImport(Library)] internal static partial int tb_set_generator_state(nint generator, nint state);

    [LibraryImport(Library)] internal static partial int tb_blas_threads();
    [LibraryImport(Library)] internal static partial nint tb_blas_core();
    [LibraryImport(Library)] internal static partial nint tb_config();
    [LibraryImport(Library)] internal static partial int tb_threads();
    [LibraryImport(Library)] internal static partial int tb_set_threads(int count);
    [LibraryImport(Library)] internal static partial int tb_interop_threads();
    [LibraryImport(Library)] internal static partial int tb_set_interop_threads(int count);
    [LibraryImport(Library)] internal static partial nint tb_parallel_info();
    [LibraryImport(Library)] internal static partial void tb_keep_freed_memory();
    [LibraryImport(Library)] internal static partial int tb_cuda_is_available();
    [LibraryImport(Library)] internal static partial int tb_cuda_device_count();
    [LibraryImport(Library)] internal static partial int tb_cuda_is_cudnn_available();
    [LibraryImport(Library)] internal static partial int tb_cuda_synchronize(int index);
    [LibraryImport(Library)] internal static partial int tb_cuda_manual_seed(long seed, int all);

    /// <summary>The message of the last failed call on this thread, as the exception type that TorchSharp throws.</summary>
    internal static ExternalException Failure() => new(Marshal.PtrToStringUTF8(tb_last_error()));

    internal static void Check(int status)
    {
        if (status < 0) throw Failure();
    }

    internal static nint Check(nint handle) => handle != 0 ? handle : throw Failure();
}
