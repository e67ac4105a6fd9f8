using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Rlhf.Core;

/// <summary>What a thread has had of a processor: unlike the clock on the wall, it stands still while the thread waits for a disk.</summary>
public static partial class ThreadTime
{
    // CLOCK_THREAD_CPUTIME_ID of <time.h>.
    private const int LinuxClock = 3, MacClock = 16;

    /// <summary>Processor seconds of the calling thread so far; where the system does not tell them, the clock on the wall, which is never less between two calls.</summary>
    public static double ProcessorSeconds
    {
        get
        {
            int clock = OperatingSystem.IsLinux() ? LinuxClock : OperatingSystem.IsMacOS() ? MacClock : -1;
            return clock >= 0 && Environment.Is64BitProcess && ClockGetTime(clock, out TimeSpec time) == 0 ? time.Seconds + (time.Nanoseconds * 1e-9) : Stopwatch.GetTimestamp() / (double)Stopwatch.Frequency;
        }
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int ClockGetTime(int clock, out TimeSpec time);

    [StructLayout(LayoutKind.Sequential)]
    private readonly struct TimeSpec
    {
        public readonly long Seconds;
        public readonly long Nanoseconds;
    }
}
