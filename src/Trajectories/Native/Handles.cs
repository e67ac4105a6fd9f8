using System.Runtime.InteropServices;

namespace Rlhf.Trajectories.Native;

/// <summary>An owned pointer whose release takes the address of the pointer, as DuckDB's functions do.</summary>
internal abstract class DuckDbHandle() : SafeHandle(0, ownsHandle: true)
{
    public sealed override bool IsInvalid => handle == 0;
}

internal sealed class DatabaseHandle : DuckDbHandle
{
    protected override bool ReleaseHandle()
    {
        DuckDb.Close(ref handle);
        return true;
    }
}

internal sealed class ConnectionHandle : DuckDbHandle
{
    protected override bool ReleaseHandle()
    {
        DuckDb.Disconnect(ref handle);
        return true;
    }
}

internal sealed class ConfigHandle : DuckDbHandle
{
    protected override bool ReleaseHandle()
    {
        DuckDb.DestroyConfig(ref handle);
        return true;
    }
}

internal sealed class StatementHandle : DuckDbHandle
{
    protected override bool ReleaseHandle()
    {
        DuckDb.DestroyPrepare(ref handle);
        return true;
    }
}

internal sealed class ChunkHandle : DuckDbHandle
{
    protected override bool ReleaseHandle()
    {
        DuckDb.DestroyChunk(ref handle);
        return true;
    }
}

internal sealed class TableFunctionHandle : DuckDbHandle
{
    protected override bool ReleaseHandle()
    {
        DuckDb.DestroyTableFunction(ref handle);
        return true;
    }
}

/// <summary>The result structure in memory of its own, so that it can be released whatever the state of the query.</summary>
internal sealed class ResultHandle : DuckDbHandle
{
    public unsafe ResultHandle() => SetHandle((nint)NativeMemory.AllocZeroed((nuint)sizeof(DuckDb.Result)));

    public unsafe DuckDb.Result Value => *(DuckDb.Result*)handle;

    protected override unsafe bool ReleaseHandle()
    {
        DuckDb.DestroyResult(handle);
        NativeMemory.Free((void*)handle);
        return true;
    }
}
