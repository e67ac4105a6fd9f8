namespace Rlhf.Algorithms.Tests;

/// <summary>Named tolerances, each with its reason.</summary>
public static class Tolerance
{
    /// <summary>Published numbers are given to four to six decimals.</summary>
    public const double Published = 1e-4;

    /// <summary>Published to nine digits.</summary>
    public const double PublishedNineDigits = 5e-10;

    /// <summary>Two float64 implementations of one formula that add in another order.</summary>
    public const double SameFormula = 1e-12;

    /// <summary>Required of every loss's gradient (relative; central difference with step 1e-5 in float64 is good to about 1e-9).</summary>
    public const double FiniteDifference = 1e-6;

    /// <summary>Merging of running moments, as the source of the case asks.</summary>
    public const double MergedMoments = 1e-6;
}
