using TorchSharp.Utils;
using static TorchSharp.Operators;

namespace TorchSharp;

public static partial class torch
{
    /// <summary>
    /// An n-dimensional array of libtorch. Members are those of TorchSharp, which follow PyTorch's: see PyTorch's documentation of the
    /// function of that name. A tensor belongs to the innermost open <see cref="DisposeScope"/> of the thread that made it, or else to
    /// the caller, who disposes it. A native failure is a <see cref="System.Runtime.InteropServices.ExternalException"/> that names the operator.
    /// </summary>
    public partial class Tensor : IDisposable
    {
        private static long s_live;
        private static long s_peak;
        private readonly TensorHandle _handle;

        internal Tensor(nint handle)
        {
            _handle = new TensorHandle(Native.Check(handle));
            long live = Interlocked.Increment(ref s_live);
            if (live > s_peak) s_peak = live;
            OwningDisposeScope = DisposeScopeManager.Current.Register(this);
        }

        /// <summary>How many tensor objects of this process hold a native tensor now.</summary>
        public static long TotalCount => Interlocked.Read(ref s_live);

        public static long PeakCount => s_peak;

        /// <summary>The native handle; the tensor has to be kept alive while it is used.</summary>
        public IntPtr Handle => _handle.IsInvalid || _handle.IsClosed
            ? throw new ObjectDisposedException(nameof(Tensor), "the tensor was disposed, by hand or with its dispose scope") : _handle.DangerousGetHandle();

        public bool IsInvalid => _handle.IsInvalid || _handle.IsClosed;

        internal DisposeScope? OwningDisposeScope { get; set; }

        public void Dispose()
        {
            Dispose(true);
            GC.SuppressFinalize(this);
        }

        protected virtual void Dispose(bool disposing)
        {
            if (IsInvalid) return;
            if (OwningDisposeScope is not null) OwningDisposeScope.MarkAsDisposed(this);
            else DisposeScopeManager.Current.Tensors.DisposedOutsideScopeCount++;
            Free();
        }

        internal static void CountDown() => Interlocked.Decrement(ref s_live);

        internal void Free() => _handle.Dispose();

        public IntPtr DecoupleFromNativeHandle()
        {
            DetachFromDisposeScope();
            nint handle = _handle.Release();
            CountDown();
            return handle;
        }

        public static Tensor UnsafeCreateTensor(IntPtr handle) => new(handle);

        public Tensor MoveToOuterDisposeScope()
        {
            OwningDisposeScope?.MoveToOuter(this);
            return this;
        }

        public Tensor MoveToOtherDisposeScope(DisposeScope other)
        {
            if (OwningDisposeScope is null) other?.Attach(this);
            else OwningDisposeScope.MoveToOther(other, this);
            return this;
        }

        public Tensor MoveToOtherDisposeScope(Tensor other) => MoveToOtherDisposeScope(other.OwningDisposeScope!);

        public Tensor DetachFromDisposeScope()
        {
            OwningDisposeScope?.Detach(this);
            return this;
        }

        public Tensor DetatchFromDisposeScope() => DetachFromDisposeScope();

        // ---- what it is ----

        public ScalarType dtype => (ScalarType)Native.tb_dtype(Handle);

        public Device device
        {
            get
            {
                long packed = Native.tb_device(Handle);
                return new Device((DeviceType)(packed >> 16), (int)(packed & 0xffff) - 1);
            }
        }

        public DeviceType device_type => (DeviceType)(Native.tb_device(Handle) >> 16);

        public int device_index => (int)(Native.tb_device(Handle) & 0xffff) - 1;

        public bool is_cuda => device_type == DeviceType.CUDA;

        public bool is_meta => device_type == DeviceType.META;

        public bool is_cpu() => device_type == DeviceType.CPU;

        public long dim() => Native.tb_dim(Handle);

        public long ndim => dim();

        public long Dimensions => dim();

        public long numel() => Native.tb_numel(Handle);

        public long NumberOfElements => numel();

        public long ElementSize => Native.tb_element_size(Handle);

        public long element_size() => ElementSize;

        public unsafe long[] shape
        {
            get
            {
                var sizes = new long[dim()];
                fixed (long* pointer = sizes) Native.tb_sizes(Handle, pointer);
                return sizes;
            }
        }

        public long[] size() => shape;

        public long size(int dim) => shape[dim < 0 ? dim + (int)ndim : dim];

        public unsafe long[] stride()
        {
            var strides = new long[dim()];
            fixed (long* pointer = strides) Native.tb_strides(Handle, pointer);
            return strides;
        }

        public long stride(int dim) => stride()[dim < 0 ? dim + (int)ndim : dim];

        public long storage_offset() => Native.tb_storage_offset(Handle);

        public bool is_contiguous() => Native.tb_is_contiguous(Handle) != 0;

        public bool is_floating_point() => torch.is_floating_point(dtype);

        public bool is_integral() => torch.is_integral(dtype);

        public bool is_complex() => torch.is_complex(dtype);

        public bool is_nonzero() => Flag("is_nonzero", this);

        internal long Identity => Native.tb_identity(Handle);

        internal nint DataPointer => numel() == 0 ? 0 : Native.Check(Native.tb_data(Handle));

        public override string ToString() => IsInvalid ? "disposed tensor" : $"[{string.Join("x", shape)}], type = {dtype}, device = {device}";

        public override bool Equals(object? obj) => obj is Tensor other && Equals(other);

        /// <summary>True when both have the same shape and the same elements.</summary>
        public bool Equals(Tensor target) => Flag("equal", this, target);

        public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);

        // ---- autograd ----

        public bool requires_grad
        {
            get => Native.tb_requires_grad(Handle) != 0;
            set => Native.Check(Native.tb_set_requires_grad(Handle, value ? 1 : 0));
        }

        public Tensor requires_grad_(bool requires_grad = true)
        {
            this.requires_grad = requires_grad;
            return this;
        }

        public Tensor with_requires_grad(bool requires_grad = true) => requires_grad_(requires_grad);

        public bool is_leaf => Native.tb_is_leaf(Handle) != 0;

        /// <summary>The gradient, or null when there is none yet.</summary>
        public Tensor? grad
        {
            get
            {
                nint handle = Native.tb_grad(Handle);
                return handle == 0 ? null : new Tensor(handle);
            }

            set => Native.Check(Native.tb_set_grad(Handle, value is null ? 0 : value.Handle));
        }

        public void retain_grad() => Native.Check(Native.tb_retain_grad(Handle));

        public void backward() => autograd.backward([this]);

        public void backward(IList<Tensor>? grad_tensors = null, bool retain_graph = false, bool create_graph = false, IList<Tensor>? inputs = null)
            => autograd.backward([this], grad_tensors, retain_graph, create_graph, inputs);

        public Tensor detach() => One("detach", this);

        public Tensor detach_() => InPlace("detach_", this);

        // ---- copies and conversions ----

        public Tensor alias() => One("alias", this);

        public Tensor clone() => One("clone", this);

        public Tensor contiguous() => One("contiguous", this);

        public Tensor copy_(Tensor source, bool nonBlocking = false) => InPlace("copy_", this, source, nonBlocking);

        public Tensor to(ScalarType type, bool copy = false, bool disposeAfter = false, bool non_blocking = false)
            => DisposeThis(disposeAfter, One("to.dtype", this, type, non_blocking, copy));

        public Tensor to_type(ScalarType type, bool copy = false, bool disposeAfter = false, bool non_blocking = false)
            => to(type, copy, disposeAfter, non_blocking);

        public Tensor to(Device device, bool copy = false, bool disposeAfter = false, bool non_blocking = false)
            => DisposeThis(disposeAfter, One("to.device", this, device, dtype, non_blocking, copy));

        public Tensor to(DeviceType deviceType, int deviceIndex = -1, bool copy = false, bool disposeAfter = false, bool non_blocking = false)
            => to(new Device(deviceType, deviceIndex), copy, disposeAfter, non_blocking);

        public Tensor to(string device, bool copy = false, bool disposeAfter = false, bool non_blocking = false)
            => to(new Device(device), copy, disposeAfter, non_blocking);

        public Tensor to(ScalarType type, Device device, bool copy = false, bool disposeAfter = false, bool non_blocking = false)
            => DisposeThis(disposeAfter, One("to.device", this, device, type, non_blocking, copy));

        public Tensor to(Tensor other, bool non_blocking = false) => One("to.other", this, other, non_blocking);

        public Tensor type(ScalarType dtype) => to(dtype);

        public Tensor type_as(Tensor tensor) => to(tensor.dtype);

        public Tensor cpu() => to(DeviceType.CPU);

        public Tensor cuda(Device? device = null, bool non_blocking = false) => to(device ?? CUDA, non_blocking: non_blocking);

        public Tensor @float() => to(ScalarType.Float32);

        public Tensor @double() => to(ScalarType.Float64);

        public Tensor half() => to(ScalarType.Float16);

        public Tensor bfloat16() => to(ScalarType.BFloat16);

        public Tensor @int() => to(ScalarType.Int32);

        public Tensor @long() => to(ScalarType.Int64);

        public Tensor @short() => to(ScalarType.Int16);

        public Tensor @byte() => to(ScalarType.Byte);

        public Tensor @char() => to(ScalarType.Int8);

        public Tensor @bool() => to(ScalarType.Bool);

        public Tensor pin_memory() => One("pin_memory", this);

        private Tensor DisposeThis(bool dispose, Tensor result)
        {
            if (dispose) Dispose();
            return result;
        }
    }
}
