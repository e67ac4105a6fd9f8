using System.Globalization;

namespace Rlhf.Core;

/// <summary>Numbers for people: about four significant digits, thin spaces in thousands, no exponents in everyday sizes.</summary>
internal static class ReportNumbers
{
    public static string Of(double? value)
    {
        if (value is not { } v) return "–";
        if (double.IsNaN(v)) return "NaN";
        if (double.IsInfinity(v)) return v > 0 ? "∞" : "−∞";
        double size = Math.Abs(v);
        CultureInfo culture = CultureInfo.InvariantCulture;
        string text = size switch
        {
            0 => "0",
            >= 1e7 or < 1e-4 => v.ToString("0.##e0", culture),
            >= 1000 => v.ToString("#,0", culture).Replace(",", "\u2009", StringComparison.Ordinal),
            >= 100 => v.ToString("0.#", culture),
            >= 10 => v.ToString("0.##", culture),
            >= 0.1 => v.ToString("0.###", culture),
            _ => v.ToString("0.#####", culture),
        };
        return text.Replace("-", "−", StringComparison.Ordinal).Replace("e−", "e-", StringComparison.Ordinal);
    }

    /// <summary>With its sign.</summary>
    public static string Difference(double value) => value > 0 ? "+" + Of(value) : Of(value);

    /// <summary>A coordinate of an SVG.</summary>
    public static string Coordinate(double value) => Math.Round(value, 1).ToString("0.#", CultureInfo.InvariantCulture);
}
