namespace Rlhf.Algorithms;

/// <summary>
/// How many of n a share of them is. In float64 0.55 · 20 is 11.000000000000002 and 0.29 · 100 is 28.999999999999996: what is within 1e−9 of a whole
/// number is that number.
/// </summary>
public static class Share
{
    private const double Slack = 1e-9;

    /// <summary>⌈share · n⌉.</summary>
    public static int Ceiling(double share, int n) => (int)Ceiling(share * n);

    /// <summary>⌈x⌉ of a product or quotient of shares and counts.</summary>
    public static long Ceiling(double x) => (long)Math.Ceiling(x - Slack);

    /// <summary>⌊share · n⌋.</summary>
    public static int Floor(double share, int n) => (int)Math.Floor((share * n) + Slack);
}
