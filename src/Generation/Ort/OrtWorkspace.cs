namespace Rlhf.Generation.Ort;

/// <summary>The memory of one batch size: slots for the decoding rows, behind them staging slots for prompts just computed.</summary>
internal sealed class OrtWorkspace : IDisposable
{
    private const int CapacityStride = 64, MostStagingSlots = 16;

    public OrtWorkspace(OrtPolicy policy, int rows, int capacity, OrtEngineOptions options)
    {
        (Rows, Capacity, Staging) = (rows, capacity, Math.Max(rows, DecodeBatch.FewestRows));
        int staging = Math.Min(rows, MostStagingSlots);
        Cache = new CacheSlots(policy.Folder, policy.Memory, Staging + staging, capacity);
        Batch = new DecodeBatch(policy, Cache, rows);
        Prefill = new Prefill(policy, Cache, Staging, staging, options.PrefillTokens);
    }

    public int Rows { get; }

    public int Capacity { get; }

    /// <summary>The first staging slot.</summary>
    public int Staging { get; }

    public CacheSlots Cache { get; }

    public DecodeBatch Batch { get; }

    public Prefill Prefill { get; }

    /// <summary>Cached tokens that a prompt and its response need, rounded up so that similar runs share a workspace.</summary>
    public static int CapacityFor(PolicyFolder folder, int promptTokens, int newTokens) =>
        (int)Math.Min(folder.ContextLength, ((long)promptTokens + newTokens + CapacityStride - 1) / CapacityStride * CapacityStride);

    public void Dispose()
    {
        Batch.Dispose();
        Prefill.Dispose();
        Cache.Dispose();
    }
}
