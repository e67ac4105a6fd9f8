namespace Rlhf.Models;

/// <summary>How a parameter begins when a model is made from nothing.</summary>
public enum ParameterStart
{
    /// <summary>Normal with standard deviation 0.02.</summary>
    Normal,

    /// <summary>Normal with standard deviation 0.02 / √(2 · layers): what adds to the residual stream (GPT-2, Radford et al. 2019).</summary>
    Residual,

    /// <summary>Normal with standard deviation 1 / √(hidden + 1): a reward head (Ziegler et al. 2019).</summary>
    RewardHead,

    Zero,
    One,
}

/// <summary>One parameter of a model.</summary>
/// <param name="Name">Hugging Face name.</param>
/// <param name="Shape">In memory: linear weights are [in, out].</param>
/// <param name="StoredShape">In safetensors: linear weights are [out, in].</param>
/// <param name="Transposed">True: memory and file differ by a transposition.</param>
/// <param name="Start">Its first values.</param>
public sealed record ParameterSpec(string Name, IReadOnlyList<long> Shape, IReadOnlyList<long> StoredShape, bool Transposed, ParameterStart Start)
{
    /// <summary>How many numbers.</summary>
    public long Count => Shape.Aggregate(1L, (product, size) => product * size);
}
