using System.Globalization;
using Rlhf.Core;

namespace Rlhf.Pipeline.Bench;

/// <summary>Resident memory of this process as Linux counts it, with a peak that can be set back.</summary>
internal static class ResidentMemory
{
    /// <summary>The peak counts from now on.</summary>
    public static void ResetPeak()
    {
        try
        {
            File.WriteAllText("/proc/self/clear_refs", "5");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Log.Debug($"The memory peak cannot be set back here ({e.Message}); peaks are those of the whole process.");
        }
    }

    public static double PeakMegabytes() => Read("VmHWM:");

    public static double NowMegabytes() => Read("VmRSS:");

    private static double Read(string field)
    {
        string? line = File.Exists("/proc/self/status") ? File.ReadLines("/proc/self/status").FirstOrDefault(l => l.StartsWith(field, StringComparison.Ordinal)) : null;
        return line is null
            ? Environment.WorkingSet / 1048576.0
            : double.Parse(line[field.Length..].Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture) / 1024;
    }
}
