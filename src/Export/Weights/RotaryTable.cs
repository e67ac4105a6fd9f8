namespace Rlhf.Export;

/// <summary>
/// Rotary position tables (Su et al. 2021, "RoFormer", eq. 15): angle(p, i) = p · θ^(−2i/d), i = 0 … d/2 − 1. The half-split convention
/// of Llama pairs number i of a head with number i + d/2. Padding columns have angle 0: cos 1, sin 0.
/// </summary>
internal static class RotaryTable
{
    /// <summary>[max positions, padded head size / 2].</summary>
    public static WeightEntry Entry(string name, ModelShape shape, Func<double, double> function)
    {
        int half = shape.HeadSize / 2, padded = shape.PaddedHeadSize / 2;
        return new(name, [shape.MaxPositions, padded], [], memory =>
        {
            Span<float> table = memory.Span;
            for (int p = 0; p < shape.MaxPositions; p++)
            {
                for (int i = 0; i < padded; i++)
                {
                    double angle = i < half ? p * Math.Pow(shape.RopeTheta, -2.0 * i / shape.HeadSize) : 0;
                    table[(p * padded) + i] = (float)function(angle);
                }
            }
        });
    }
}
