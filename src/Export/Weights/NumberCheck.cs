using System.Numerics.Tensors;
using Rlhf.Core;

namespace Rlhf.Export;

/// <summary>No NaN or infinity leaves the trainer: they would only be seen as nonsense tokens much later.</summary>
internal static class NumberCheck
{
    public static void ThrowIfNotFinite(string name, ReadOnlySpan<float> values)
    {
        if (float.IsFinite(TensorPrimitives.MaxMagnitude(values))) return;
        int bad = 0;
        while (float.IsFinite(values[bad])) bad++;
        throw new NumericalException(
            $"Weight '{name}' holds {values[bad]} at index {bad} of {values.Length}; every exported number must be finite. Training has " +
            "diverged: go back to the last good checkpoint and lower the learning rate or the clip range.");
    }
}
