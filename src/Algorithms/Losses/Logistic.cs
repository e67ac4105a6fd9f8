namespace Rlhf.Algorithms;

/// <summary>σ(x) = 1 / (1 + e^−x) and log σ(x) without overflow.</summary>
public static class Logistic
{
    public static double Sigmoid(double x)
    {
        double e = Math.Exp(-Math.Abs(x));
        return x >= 0 ? 1 / (1 + e) : e / (1 + e);
    }

    /// <summary>log σ(x) = min(x, 0) − log(1 + e^−|x|).</summary>
    public static double LogSigmoid(double x) => Math.Min(x, 0) - Log1p(Math.Exp(-Math.Abs(x)));

    /// <summary>log(1 + x), exact for small x (Kahan).</summary>
    public static double Log1p(double x)
    {
        double u = 1 + x;
        return u == 1 ? x : Math.Log(u) * x / (u - 1);
    }
}
