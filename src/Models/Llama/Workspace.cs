using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Models;

/// <summary>
/// One large float32 buffer that is cut into matrices from the front. It is reused from step to step: fresh pages are dear (a quarter of
/// the time of a small model's step went into page faults).
/// </summary>
internal sealed class Workspace(long count) : IDisposable
{
    private const long Alignment = 16;

    private Tensor? _flat = empty([Math.Max(count, Alignment)], ScalarType.Float32).DetachFromDisposeScope();
    private long _used;

    public long Count { get; } = count;

    /// <summary>How many numbers a matrix takes, with its alignment.</summary>
    public static long Need(long rows, long columns) => ((rows * columns) + Alignment - 1) / Alignment * Alignment;

    /// <summary>The buffer, without which nothing works; null while it is lent to an autograd graph.</summary>
    public Tensor Flat => _flat ?? throw new InvalidOperationException("The workspace's buffer is lent.");

    /// <summary>Gives the buffer away, so that it goes when its taker drops it. The addresses stay good until then.</summary>
    public Tensor Lend()
    {
        Tensor flat = Flat;
        _flat = null;
        return flat;
    }

    /// <summary>Takes a handle to the lent buffer back.</summary>
    public void Restore(Tensor flat) => _flat = flat.DetachFromDisposeScope();

    /// <summary>Everything that was taken is free again.</summary>
    public void Reset() => _used = 0;

    /// <summary>The next matrix; its numbers are whatever was there.</summary>
    public unsafe Matrix Take(long rows, long columns)
    {
        long offset = _used;
        _used += Need(rows, columns);
        if (_used > Count) throw new InvalidOperationException($"The workspace has {Count} numbers; {_used} were taken.");
        using Tensor first = Flat.narrow(0, 0, 1);
        fixed (byte* address = first.bytes) return new Matrix(this, offset, rows, columns, (float*)address + offset);
    }

    public void Dispose() => _flat?.Dispose();
}

/// <summary>A matrix in a <see cref="Workspace"/>: an address for the kernels, a view for torch.</summary>
internal readonly unsafe struct Matrix(Workspace space, long offset, long rows, long columns, float* data)
{
    public float* Data { get; } = data;

    /// <summary>[rows, columns], owned by the open dispose scope.</summary>
    public Tensor View() => space.Flat.as_strided([rows, columns], [columns, 1], offset);
}

/// <summary>Workspaces that wait for their next use.</summary>
internal sealed class WorkspacePool : IDisposable
{
    /// <summary>One for what a forward pass keeps, one for a backward pass.</summary>
    private const int Kept = 2;

    private readonly List<Workspace> _free = [];

    /// <summary>The smallest one that is large enough, or a new one.</summary>
    public Workspace Rent(long count)
    {
        lock (_free)
        {
            Workspace? best = _free.Where(w => w.Count >= count).MinBy(w => w.Count);
            if (best is null) return new Workspace(count);
            _free.Remove(best);
            best.Reset();
            return best;
        }
    }

    /// <summary>Takes one back; the smallest beyond the limit is freed.</summary>
    public void Return(Workspace workspace)
    {
        lock (_free)
        {
            _free.Add(workspace);
            if (_free.Count <= Kept) return;
            Workspace smallest = _free.MinBy(w => w.Count)!;
            _free.Remove(smallest);
            smallest.Dispose();
        }
    }

    public void Dispose()
    {
        foreach (Workspace workspace in _free) workspace.Dispose();
        _free.Clear();
    }
}
