namespace Rlhf.Export;

/// <summary>How equal mathematics is laid out in nodes; the default is the fastest that was measured (see README.md of this project).</summary>
internal sealed record GraphStyle
{
    public static readonly GraphStyle Default = new();

    /// <summary>One MatMul for q, k and v, handed packed to GroupQueryAttention.</summary>
    public bool FusedQkv { get; init; } = true;

    /// <summary>One MatMul for gate and up, then Split.</summary>
    public bool FusedGateUp { get; init; }

    /// <summary>x·σ(x) as QuickGelu(α = 1), one vectorised pass, instead of Sigmoid and Mul.</summary>
    public bool QuickGelu { get; init; } = true;

    /// <summary>Tied head as Gemm over the embedding table, transposed by the kernel; otherwise Transpose and MatMul.</summary>
    public bool GemmHead { get; init; } = true;
}
