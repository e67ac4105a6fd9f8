using System.Buffers;
using System.Runtime.InteropServices;

namespace Rlhf.Generation;

/// <summary>Zeroed unmanaged memory, aligned to 64 bytes; pages are real once they are written.</summary>
internal sealed unsafe class NativeBuffer<T> : SafeHandle
    where T : unmanaged
{
    private const int Alignment = 64;

    public NativeBuffer(long length) : base(0, ownsHandle: true)
    {
        Length = length;
        SetHandle((nint)NativeMemory.AllocZeroed(checked((nuint)((length * sizeof(T)) + Alignment))));
    }

    public long Length { get; }

    public override bool IsInvalid => handle == 0;

    public nint Address => (handle + (Alignment - 1)) & ~(nint)(Alignment - 1);

    public T* Pointer => (T*)Address;

    public long Bytes => Length * sizeof(T);

    /// <summary>The values as memory, for at most int.MaxValue of them. Valid while this object is not disposed.</summary>
    public Memory<T> Memory => new Manager(this).Memory;

    public Span<T> Span(long from, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(from);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(from + length, Length);
        return new Span<T>(Pointer + from, length);
    }

    protected override bool ReleaseHandle()
    {
        NativeMemory.Free((void*)handle);
        return true;
    }

    private sealed class Manager(NativeBuffer<T> buffer) : MemoryManager<T>
    {
        public override Span<T> GetSpan() => buffer.Span(0, checked((int)buffer.Length));

        public override MemoryHandle Pin(int elementIndex = 0) => new(buffer.Pointer + elementIndex);

        public override void Unpin()
        {
            // Unmanaged memory does not move.
        }

        protected override void Dispose(bool disposing)
        {
            // The buffer owns the memory.
        }
    }
}
