using TorchSharp;

namespace Rlhf.Optimization;

/// <summary>Sets libtorch's threads once, on purpose: spinning pools on shared cores cost an order of magnitude.</summary>
public static class TorchThreads
{
    /// <param name="threads">0: all cores.</param>
    public static void Apply(int threads) => torch.set_num_threads(threads > 0 ? threads : Environment.ProcessorCount);
}
