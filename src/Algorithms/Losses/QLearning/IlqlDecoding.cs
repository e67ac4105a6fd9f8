namespace Rlhf.Algorithms;

/// <summary>
/// ILQL's decoding (Snell et al. 2022, section 4.3): draw from softmax(log π(·|s) + β (min(Q₁, Q₂)(s, ·) − V(s))).
/// </summary>
public static class IlqlDecoding
{
    /// <summary>Writes the shifted logits of one state.</summary>
    /// <param name="logits">[vocabulary] of the policy.</param>
    /// <param name="q1">[vocabulary].</param>
    /// <param name="q2">[vocabulary].</param>
    /// <param name="value">V(s).</param>
    /// <param name="beta">β.</param>
    /// <param name="shifted">[vocabulary] written; may be <paramref name="logits"/>.</param>
    public static void Shift(
        ReadOnlySpan<double> logits, ReadOnlySpan<double> q1, ReadOnlySpan<double> q2, double value, double beta, Span<double> shifted)
    {
        Require.Length(q1.Length, logits.Length, nameof(q1));
        Require.Length(q2.Length, logits.Length, nameof(q2));
        Require.Length(shifted.Length, logits.Length, nameof(shifted));
        for (int v = 0; v < logits.Length; v++) shifted[v] = logits[v] + (beta * (Math.Min(q1[v], q2[v]) - value));
    }
}
