namespace Rlhf.Export;

/// <summary>How equal mathematics is laid out in nodes; what is preset is the fastest that was measured (see README.md of this project).</summary>
internal sealed record GraphStyle
{
    public static readonly GraphStyle Default = new();

    /// <summary>For decoding a few rows a step on a CPU: rollout.onnx.</summary>
    public static readonly GraphStyle Decoding = new() { WeightInputs = true, WeightsLeft = true, ScaledQueries = true };

    /// <summary>For decoding on a device: sampled.onnx.</summary>
    public static readonly GraphStyle Device = new() { WeightInputs = true };

    /// <summary>One MatMul for q, k and v, handed packed to GroupQueryAttention.</summary>
    public bool FusedQkv { get; init; } = true;

    /// <summary>One MatMul for gate and up, then Split.</summary>
    public bool FusedGateUp { get; init; }

    /// <summary>x·σ(x) as QuickGelu(α = 1), one vectorised pass, instead of Sigmoid and Mul.</summary>
    public bool QuickGelu { get; init; } = true;

    /// <summary>Tied head as Gemm over the embedding table, transposed by the kernel; otherwise Transpose and MatMul.</summary>
    public bool GemmHead { get; init; } = true;

    /// <summary>Weights are inputs of the graph, so that nothing is packed or opened anew when they change.</summary>
    public bool WeightInputs { get; init; }

    /// <summary>
    /// Products as Wᵀ·xᵀ instead of x·W: the large factor is then read once, from its beginning to its end, while the small one stays in the
    /// first cache. Needs <see cref="WeightInputs"/>, which are then [out, in].
    /// </summary>
    public bool WeightsLeft { get; init; }

    /// <summary>
    /// Queries are multiplied by 1/√d before attention, whose own factor is then 1: ONNX Runtime's matrix-vector kernels take products without
    /// a factor only.
    /// </summary>
    public bool ScaledQueries { get; init; }
}
