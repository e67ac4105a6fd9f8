using System.Runtime.InteropServices;
using Rlhf.Trajectories.Native;

namespace Rlhf.Trajectories;

/// <summary>The data engine, for manifests and <c>rlhf doctor</c>.</summary>
public static class DuckDbInfo
{
    /// <summary>DuckDB's own version.</summary>
    public static string Version => Marshal.PtrToStringUTF8(DuckDb.LibraryVersion()) ?? "";
}
