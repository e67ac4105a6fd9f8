using TorchSharp;

namespace Rlhf.Models;

/// <summary>Splits independent work over as many threads as torch uses. With one thread nothing is started.</summary>
internal static class CpuParallel
{
    /// <summary>Calls <paramref name="body"/> with ranges [from, to) that cover 0..count. What one index computes must not depend on the range.</summary>
    public static void For(int count, Action<int, int> body)
    {
        int threads = Math.Min(torch.get_num_threads(), count);
        if (threads <= 1)
        {
            body(0, count);
            return;
        }

        Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, t =>
            body((int)((long)count * t / threads), (int)((long)count * (t + 1) / threads)));
    }
}
