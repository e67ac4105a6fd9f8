using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Text;
using static TorchSharp.torch;

namespace TorchSharp;

/// <summary>
/// Calls ATen operators by name ("add.Tensor" is aten::add, overload Tensor). The handle is found once; arguments are packed on the stack.
/// </summary>
internal static unsafe class Operators
{
    private static readonly ConcurrentDictionary<string, nint> s_handles = new();

    /// <summary>An operator with one tensor as its result.</summary>
    internal static Tensor One(string op, params ReadOnlySpan<Value> args)
    {
        NativeArg result;
        if (Invoke(op, args, &result, 1) != 1) throw new InvalidOperationException($"aten::{op} does not return exactly one tensor");
        return new Tensor((nint)result.Bits);
    }

    /// <summary>An operator that changes <paramref name="self"/>, which is also its first argument.</summary>
    internal static Tensor InPlace(string op, Tensor self, params ReadOnlySpan<Value> rest)
    {
        Values all = default;
        Span<Value> args = all;
        args[0] = self;
        rest.CopyTo(args[1..]);
        Invoke(op, args[..(rest.Length + 1)], null, -1);
        return self;
    }

    /// <summary>An operator that returns several tensors, or a list of them. Undefined tensors become null.</summary>
    internal static Tensor[] Many(string op, params ReadOnlySpan<Value> args)
    {
        const int capacity = 8;
        NativeArg* results = stackalloc NativeArg[capacity];
        int count = Invoke(op, args, results, capacity);
        if (count > capacity) return Fetch(count);
        var tensors = new Tensor[count];
        for (int i = 0; i < count; i++) tensors[i] = results[i].Bits == 0 ? null! : new Tensor((nint)results[i].Bits);
        return tensors;
    }

    internal static (Tensor, Tensor) Two(string op, params ReadOnlySpan<Value> args)
    {
        Tensor[] tensors = Many(op, args);
        return (tensors[0], tensors[1]);
    }

    internal static (Tensor, Tensor, Tensor) Three(string op, params ReadOnlySpan<Value> args)
    {
        Tensor[] tensors = Many(op, args);
        return (tensors[0], tensors[1], tensors[2]);
    }

    /// <summary>An operator that returns a Boolean.</summary>
    internal static bool Flag(string op, params ReadOnlySpan<Value> args)
    {
        NativeArg result;
        Invoke(op, args, &result, 1);
        return result.Bits != 0;
    }

    private static Tensor[] Fetch(int count)
    {
        var results = new NativeArg[count];
        fixed (NativeArg* pointer = results) Native.tb_results(pointer, count);
        return Array.ConvertAll(results, result => new Tensor((nint)result.Bits));
    }

    private static int Invoke(string op, ReadOnlySpan<Value> args, NativeArg* results, int capacity)
    {
        nint handle = s_handles.TryGetValue(op, out nint known) ? known : Find(op);
        int words = 0;
        foreach (ref readonly Value arg in args) words += Words(arg);
        Span<long> scratch = words <= 128 ? stackalloc long[words + 1] : new long[words];
        NativeArg* packed = stackalloc NativeArg[args.Length + 1];
        int status;
        fixed (long* memory = scratch)
        {
            long* next = memory;
            for (int i = 0; i < args.Length; i++) packed[i] = Pack(op, i, args[i], ref next);
            status = Native.tb_call(handle, packed, args.Length, results, capacity);
        }
        foreach (ref readonly Value arg in args) GC.KeepAlive(arg.Object);
        return status >= 0 ? status : throw Native.Failure();
    }

    private static nint Find(string op)
    {
        int dot = op.IndexOf('.', StringComparison.Ordinal);
        string name = dot < 0 ? op : op[..dot];
        nint handle = Native.Check(Native.tb_operator("aten::" + name, dot < 0 ? "" : op[(dot + 1)..]));
        return s_handles.GetOrAdd(op, handle);
    }

    private static int Words(in Value arg) => arg.Object switch
    {
        long[] list => list.Length,
        Tensor?[] list => list.Length,
        string text => Encoding.UTF8.GetByteCount(text) / 8 + 1,
        _ => 0,
    };

    private static NativeArg Pack(string op, int position, in Value arg, ref long* next)
    {
        NativeArg packed = new() { Tag = arg.Tag, Bits = arg.Bits };
        switch (arg.Object)
        {
            case Tensor tensor:
                packed.Bits = tensor.Handle;
                break;
            case Generator generator:
                packed.Bits = generator.Handle;
                break;
            case long[] list:
                packed.Length = list.Length;
                packed.Bits = (nint)next;
                foreach (long item in list) *next++ = item;
                break;
            case Tensor?[] list:
                packed.Length = list.Length;
                packed.Bits = (nint)next;
                foreach (Tensor? item in list) *next++ = item is null ? 0 : item.Handle;
                break;
            case string text:
                int bytes = Encoding.UTF8.GetByteCount(text);
                packed.Length = Encoding.UTF8.GetBytes(text, new Span<byte>(next, bytes));
                packed.Bits = (nint)next;
                next += bytes / 8 + 1;
                break;
            case null when arg.Tag is ArgTag.Tensor:
                throw new ArgumentNullException(op, $"argument {position} of aten::{op} is null");
        }
        return packed;
    }

    [InlineArray(16)]
    private struct Values
    {
        private Value _first;
    }
}
