using System.Numerics;
using System.Runtime.CompilerServices;
using TorchSharp.Utils;

namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        /// <summary>The elements of a CPU tensor, in place, whatever its strides.</summary>
        public TensorAccessor<T> data<T>() where T : unmanaged
        {
            ElementTypes.Require<T>(dtype, "data");
            if (!is_cpu()) throw new InvalidOperationException($"data<{typeof(T).Name}>: the tensor is on {device}; copy it to the CPU first: tensor.cpu()");
            return new TensorAccessor<T>(this);
        }

        /// <summary>The memory of a contiguous CPU tensor, in place.</summary>
        public unsafe Span<byte> bytes
        {
            get
            {
                if (!is_cpu()) throw new InvalidOperationException($"bytes: the tensor is on {device}; copy it to the CPU first: tensor.cpu()");
                if (!is_contiguous()) throw new InvalidOperationException("bytes: the tensor is not contiguous; use tensor.contiguous()");
                return new Span<byte>((void*)DataPointer, checked((int)(numel() * ElementSize)));
            }

            set
            {
                Span<byte> own = bytes;
                if (own.Length != value.Length) throw new ArgumentException($"bytes: the tensor has {own.Length} bytes, the span {value.Length}", nameof(value));
                value.CopyTo(own);
            }
        }

        /// <summary>The only element, which must have the element type <typeparamref name="T"/>.</summary>
        public unsafe T item<T>() where T : unmanaged
        {
            if (numel() != 1) throw new ArgumentException($"item: the tensor has {numel()} elements; expected 1");
            ElementTypes.Require<T>(dtype, "item");
            if (is_cpu()) return Unsafe.ReadUnaligned<T>((void*)DataPointer);
            using Tensor here = cpu();
            return Unsafe.ReadUnaligned<T>((void*)here.DataPointer);
        }

        /// <summary>The only element as a <see cref="Scalar"/> of its own type.</summary>
        public Scalar ToScalar() => dtype switch
        {
            ScalarType.Bool => item<bool>(),
            ScalarType.Byte => item<byte>(),
            ScalarType.Int8 => item<sbyte>(),
            ScalarType.Int16 => item<short>(),
            ScalarType.Int32 => item<int>(),
            ScalarType.Int64 => item<long>(),
            ScalarType.Float16 => item<Half>(),
            ScalarType.Float32 => item<float>(),
            ScalarType.Float64 => item<double>(),
            _ => Number(),
        };

        private Scalar Number()
        {
            using Tensor wide = to(ScalarType.Float64);
            return wide.item<double>();
        }

        public float ReadCpuSingle(long i) => data<float>()[i];

        public double ReadCpuDouble(long i) => data<double>()[i];

        public int ReadCpuInt32(long i) => data<int>()[i];

        public long ReadCpuInt64(long i) => data<long>()[i];

        public byte ReadCpuByte(long i) => data<byte>()[i];

        public bool ReadCpuBool(long i) => data<bool>()[i];

        public T ReadCpuValue<T>(long i) where T : unmanaged => data<T>()[i];

        public static explicit operator float(Tensor value) => value.ToSingle();

        public static explicit operator double(Tensor value) => value.ToDouble();

        public static explicit operator int(Tensor value) => value.ToInt32();

        public static explicit operator long(Tensor value) => value.ToInt64();

        public static explicit operator short(Tensor value) => value.ToInt16();

        public static explicit operator sbyte(Tensor value) => value.ToSByte();

        public static explicit operator byte(Tensor value) => value.ToByte();

        public static explicit operator bool(Tensor value) => value.ToBoolean();

        public static implicit operator Tensor(Scalar scalar) => FromScalar(scalar, scalar.Type, null, false);

        public static implicit operator Tensor(bool value) => tensor(value);

        public static implicit operator Tensor(byte value) => tensor(value);

        public static implicit operator Tensor(sbyte value) => tensor(value);

        public static implicit operator Tensor(short value) => tensor(value);

        public static implicit operator Tensor(int value) => tensor(value);

        public static implicit operator Tensor(long value) => tensor(value);

        public static implicit operator Tensor(float value) => tensor(value);

        public static implicit operator Tensor(double value) => tensor(value);

        public static implicit operator Tensor(bool[] value) => tensor(value);

        public static implicit operator Tensor(byte[] value) => tensor(value);

        public static implicit operator Tensor(sbyte[] value) => tensor(value);

        public static implicit operator Tensor(short[] value) => tensor(value);

        public static implicit operator Tensor(int[] value) => tensor(value);

        public static implicit operator Tensor(long[] value) => tensor(value);

        public static implicit operator Tensor(float[] value) => tensor(value);

        public static implicit operator Tensor(double[] value) => tensor(value);
    }
}

/// <summary>Numbers out of one-element tensors, converted from whatever element type they have.</summary>
public static class TensorExtensionMethods
{
    public static float ToSingle(this torch.Tensor value) => value.ToScalar().ToSingle();

    public static double ToDouble(this torch.Tensor value) => value.ToScalar().ToDouble();

    public static int ToInt32(this torch.Tensor value) => value.ToScalar().ToInt32();

    public static long ToInt64(this torch.Tensor value) => value.ToScalar().ToInt64();

    public static short ToInt16(this torch.Tensor value) => value.ToScalar().ToInt16();

    public static sbyte ToSByte(this torch.Tensor value) => value.ToScalar().ToSByte();

    public static byte ToByte(this torch.Tensor value) => value.ToScalar().ToByte();

    public static bool ToBoolean(this torch.Tensor value) => value.ToScalar().ToBoolean();

    public static int ElementSize(this torch.ScalarType type) => ElementTypes.Size(type);

    public static long TotalSize(this IEnumerable<long> shape) => shape.Aggregate(1L, (product, size) => product * size);

    public static torch.Tensor ToTensor<T>(this T[] rawArray, long[] dimensions, bool doCopy = false, bool requires_grad = false)
        => torch.FromMemory<T>(rawArray, dimensions, null, null, requires_grad);
}
