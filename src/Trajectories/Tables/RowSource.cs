using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rlhf.Core;
using Rlhf.Trajectories.Native;

namespace Rlhf.Trajectories;

/// <summary>
/// A DuckDB table function, "SELECT * FROM rlhf_rows()", whose rows come out of a <see cref="ChunkQueue"/>: so COPY … TO streams what the program
/// appends, in its order, on one thread.
/// </summary>
internal sealed unsafe class RowSource : IDisposable
{
    public const string Function = "rlhf_rows";
    private readonly IReadOnlyList<DataColumn> _columns;
    private readonly ChunkQueue _queue;
    private GCHandle _self;

    public RowSource(DuckDbSession session, IReadOnlyList<DataColumn> columns, ChunkQueue queue)
    {
        _columns = columns;
        _queue = queue;
        _self = GCHandle.Alloc(this);
        using TableFunctionHandle function = DuckDb.CreateTableFunction();
        DuckDb.SetFunctionName(function, Function);
        DuckDb.SetExtraInfo(function, GCHandle.ToIntPtr(_self), null);
        DuckDb.SetBind(function, &Bind);
        DuckDb.SetInit(function, &Init);
        DuckDb.SetFunction(function, &Produce);
        if (DuckDb.RegisterTableFunction(session.Connection, function) != 0) throw new EngineException("DuckDB refuses the table function that feeds its writers.");
    }

    /// <summary>Only after the session that the function is registered in has ended.</summary>
    public void Dispose()
    {
        if (_self.IsAllocated) _self.Free();
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Bind(nint info)
    {
        foreach (DataColumn column in Of(DuckDb.BindExtraInfo(info))._columns)
        {
            nint type = CreateType(column.Type);
            DuckDb.BindAddColumn(info, column.Name, type);
            DuckDb.DestroyType(ref type);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Init(nint info) => DuckDb.InitSetMaxThreads(info, 1);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Produce(nint info, nint output)
    {
        try
        {
            ChunkQueue queue = Of(DuckDb.FunctionExtraInfo(info))._queue;
            RowChunk? chunk = queue.Take();
            if (chunk is null)
            {
                DuckDb.SetChunkSize(output, 0);
                return;
            }

            chunk.CopyTo(output);
            queue.Return(chunk);
        }
        catch (Exception e)
        {
            // No exception may cross into native code; DuckDB ends the statement with this message.
            DuckDb.FunctionSetError(info, e.Message);
        }
    }

    private static RowSource Of(nint self) => (RowSource)GCHandle.FromIntPtr(self).Target!;

    private static nint CreateType(ColumnType type)
    {
        (DuckDb.TypeId id, bool list) = type switch
        {
            ColumnType.Bool => (DuckDb.TypeId.Boolean, false),
            ColumnType.Int32 => (DuckDb.TypeId.Integer, false),
            ColumnType.Int64 => (DuckDb.TypeId.BigInt, false),
            ColumnType.Float => (DuckDb.TypeId.Float, false),
            ColumnType.Double => (DuckDb.TypeId.Double, false),
            ColumnType.Int32List => (DuckDb.TypeId.Integer, true),
            ColumnType.Int64List => (DuckDb.TypeId.BigInt, true),
            ColumnType.FloatList => (DuckDb.TypeId.Float, true),
            ColumnType.DoubleList or ColumnType.DoubleMap => (DuckDb.TypeId.Double, true),
            ColumnType.TextList => (DuckDb.TypeId.Varchar, true),
            _ => (DuckDb.TypeId.Varchar, false),
        };
        nint element = DuckDb.CreateType(id);
        if (!list) return element;
        nint key = type == ColumnType.DoubleMap ? DuckDb.CreateType(DuckDb.TypeId.Varchar) : 0;
        nint whole = type == ColumnType.DoubleMap ? DuckDb.CreateMapType(key, element) : DuckDb.CreateListType(element);
        DuckDb.DestroyType(ref element);
        if (key != 0) DuckDb.DestroyType(ref key);
        return whole;
    }
}
