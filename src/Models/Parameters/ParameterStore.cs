using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Rlhf.Core;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Models;

/// <summary>Where a parameter lies in the flat buffer.</summary>
/// <param name="Spec">Name and shapes.</param>
/// <param name="Offset">In numbers from the beginning of the flat buffer; a multiple of 16, so that every parameter is aligned to 64 bytes.</param>
public sealed record ParameterPlace(ParameterSpec Spec, long Offset)
{
    public string Name => Spec.Name;

    /// <summary>How many numbers.</summary>
    public long Count => Spec.Count;
}

/// <summary>
/// All parameters of a model in ONE flat tensor, all gradients in another. The named parameters are leaf views of the first, their
/// <c>grad</c>s views of the second: <c>backward</c> adds in place, the optimiser is a few operations on two tensors, and a hand-over is
/// one copy. The gaps between parameters (for alignment) hold zeros and stay zero under any element-wise optimiser.
/// </summary>
public sealed class ParameterStore : IDisposable
{
    private const int Alignment = 16;

    private readonly Dictionary<string, Tensor> _tensors = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Tensor> _gradients = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ParameterPlace> _places = new(StringComparer.Ordinal);

    /// <summary>A store of zeros.</summary>
    /// <param name="specs">In memory order.</param>
    /// <param name="device">Null: the CPU.</param>
    /// <param name="dtype">Float32, or Float64 for gradient checks.</param>
    /// <param name="trainable">False: no gradients are kept (a reference or a frozen reward model).</param>
    public ParameterStore(IReadOnlyList<ParameterSpec> specs, Device? device = null, ScalarType dtype = ScalarType.Float32, bool trainable = true)
    {
        if (dtype is not (ScalarType.Float32 or ScalarType.Float64)) throw new ArgumentException($"dtype is {dtype}; parameters are Float32 or Float64.", nameof(dtype));
        Device = device ?? CPU;
        Dtype = dtype;
        Trainable = trainable;
        long offset = 0;
        List<ParameterPlace> table = [];
        foreach (ParameterSpec spec in specs)
        {
            var place = new ParameterPlace(spec, offset);
            table.Add(place);
            _places.Add(spec.Name, place);
            offset += (spec.Count + Alignment - 1) / Alignment * Alignment;
        }

        Table = table;
        Count = specs.Sum(spec => spec.Count);
        using IDisposable noGrad = no_grad();
        Flat = Kept(zeros([offset], dtype, Device));
        Gradient = trainable ? Kept(zeros([offset], dtype, Device)) : null;
        foreach (ParameterPlace place in table)
        {
            Tensor view = View(Flat, place);
            _tensors.Add(place.Name, view);
            if (Gradient is null) continue;
            Tensor gradient = View(Gradient, place);
            _gradients.Add(place.Name, gradient);
            view.requires_grad = true;
            view.grad = gradient;
        }
    }

    public Device Device { get; }
    public ScalarType Dtype { get; }
    public bool Trainable { get; }

    /// <summary>How many parameters, without the gaps.</summary>
    public long Count { get; }

    /// <summary>[numbers, gaps included] every parameter. Change it in place and under <c>no_grad</c> only.</summary>
    public Tensor Flat { get; }

    /// <summary>[as Flat] every gradient; null when not trainable.</summary>
    public Tensor? Gradient { get; }

    /// <summary>Name, shape and offset of every parameter, in memory order.</summary>
    public IReadOnlyList<ParameterPlace> Table { get; }

    /// <summary>A parameter: a leaf of the autograd graph. Owned by the store.</summary>
    public Tensor this[string name] => _tensors.TryGetValue(name, out Tensor? tensor) ? tensor : throw new KeyNotFoundException($"No parameter is named {name}.");

    /// <summary>The gradient view of a parameter. Owned by the store.</summary>
    public Tensor GradientOf(string name) => _gradients.TryGetValue(name, out Tensor? tensor) ? tensor : throw new KeyNotFoundException($"No gradient is kept for {name}.");

    public bool Contains(string name) => _places.ContainsKey(name);

    public ParameterPlace Place(string name) => _places.TryGetValue(name, out ParameterPlace? place) ? place : throw new KeyNotFoundException($"No parameter is named {name}.");

    /// <summary>True: the numbers lie in host memory as float32, so parameters have spans and pointers.</summary>
    public bool IsHostFloat => Dtype == ScalarType.Float32 && Device.type == DeviceType.CPU;

    /// <summary>The numbers of a parameter as float32 in host memory: where they lie, or else copied.</summary>
    /// <param name="name">Of the parameter.</param>
    /// <param name="buffer">Holds the copy, grown where it is too small; not touched where nothing is copied.</param>
    /// <returns>Valid until the buffer is used again or the weights change.</returns>
    public ReadOnlySpan<float> Host(string name, ref float[] buffer)
    {
        if (IsHostFloat) return Span(name);
        int count = checked((int)Place(name).Count);
        if (buffer.Length < count) buffer = new float[count];
        HostTensors.Read(this[name], buffer.AsSpan(0, count));
        return buffer.AsSpan(0, count);
    }

    /// <summary>The numbers of a float32 parameter on the CPU, in place.</summary>
    public unsafe Span<float> Span(string name) => new((void*)Pointer(name), checked((int)Place(name).Count));

    /// <summary>The address of a parameter on the CPU; valid until the store is disposed.</summary>
    public unsafe nint Pointer(string name)
    {
        if (!IsHostFloat) throw new InvalidOperationException($"The parameters are {Dtype} on {Device}; only Float32 on the CPU has spans and pointers.");
        return FlatAddress() + (nint)(Place(name).Offset * sizeof(float));
    }

    /// <summary>Copies the values of another store of the same table, whatever its device and dtype.</summary>
    public void CopyFrom(ParameterStore other)
    {
        RequireSameTable(other);
        using IDisposable noGrad = no_grad();
        Flat.copy_(other.Flat);
    }

    /// <summary>SHA-256 (hex, lower case) over name, shape and float32 bytes of every parameter, sorted by name: the identity of the weights.</summary>
    public string Hash() => Hash(HostTensors.SliceNumbers);

    /// <param name="slice">Most numbers at once.</param>
    internal string Hash(int slice)
    {
        using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> number = stackalloc byte[8];
        foreach (ParameterPlace place in Table.OrderBy(p => p.Name, StringComparer.Ordinal))
        {
            sha.AppendData(Encoding.UTF8.GetBytes(place.Name + "\0"));
            BinaryPrimitives.WriteInt64LittleEndian(number, place.Spec.Shape.Count);
            sha.AppendData(number);
            foreach (long size in place.Spec.Shape)
            {
                BinaryPrimitives.WriteInt64LittleEndian(number, size);
                sha.AppendData(number);
            }

            for (long done = 0, count; done < place.Count; done += count)
            {
                count = Math.Min(slice, place.Count - done);
                using Tensor values = OnCpu(Flat, place.Offset + done, count);
                sha.AppendData(values.bytes);
            }
        }

        return Convert.ToHexStringLower(sha.GetHashAndReset());
    }

    public void Dispose()
    {
        foreach (Tensor tensor in _gradients.Values) tensor.Dispose();
        foreach (Tensor tensor in _tensors.Values) tensor.Dispose();
        Gradient?.Dispose();
        Flat.Dispose();
    }

    internal void RequireSameTable(ParameterStore other)
    {
        if (!Table.Select(p => (p.Name, p.Offset, p.Count)).SequenceEqual(other.Table.Select(p => (p.Name, p.Offset, p.Count))))
            throw new ArgumentException("The other store has other parameters.", nameof(other));
    }

    private static Tensor Kept(Tensor tensor) => tensor.DetachFromDisposeScope();

    private static Tensor View(Tensor flat, ParameterPlace place)
    {
        using Tensor part = flat.narrow(0, place.Offset, place.Count);
        return Kept(part.view([.. place.Spec.Shape]));
    }

    /// <summary>A float32 tensor on the CPU that shares memory with the buffer where it can.</summary>
    private static Tensor OnCpu(Tensor flat, long offset, long count)
    {
        using Tensor part = flat.narrow(0, offset, count);
        return part.to(ScalarType.Float32, CPU);
    }

    private unsafe nint FlatAddress()
    {
        using Tensor first = Flat.narrow(0, 0, 1);
        fixed (byte* address = first.bytes) return (nint)address;
    }
}
