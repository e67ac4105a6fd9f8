using System.Globalization;

namespace Rlhf.Core;

/// <summary>Plain YAML scalars to .NET values; null when the text does not fit the type.</summary>
internal static class ConfigScalars
{
    public static object? Parse(Type type, ConfigScalar scalar)
    {
        string text = scalar.Text;
        if (type == typeof(string)) return scalar.IsNull ? null : text;
        if (type == typeof(bool)) return text switch { "true" => true, "false" => false, _ => null };
        if (type.IsEnum)
        {
            string? member = Array.Find(Enum.GetNames(type), n => ConfigText.SnakeCase(n) == text);
            return member is null ? null : Enum.Parse(type, member);
        }

        if (type == typeof(double)) return Real(text);
        if (type == typeof(float)) return Real(text) is { } wide && (float.IsFinite((float)wide) || !double.IsFinite(wide)) ? (float)wide : null;
        return Whole(type, text.Replace("_", "", StringComparison.Ordinal));
    }

    private static double? Real(string text) => text switch
    {
        ".inf" or "+.inf" => double.PositiveInfinity,
        "-.inf" => double.NegativeInfinity,
        _ => double.TryParse(text.Replace("_", "", StringComparison.Ordinal), NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && double.IsFinite(value)
            ? value
            : null,
    };

    private static object? Whole(Type type, string text)
    {
        const NumberStyles style = NumberStyles.AllowLeadingSign;
        CultureInfo culture = CultureInfo.InvariantCulture;
        if (type == typeof(int)) return int.TryParse(text, style, culture, out int i) ? i : null;
        if (type == typeof(long)) return long.TryParse(text, style, culture, out long l) ? l : null;
        if (type == typeof(uint)) return uint.TryParse(text, style, culture, out uint u) ? u : null;
        if (type == typeof(ulong)) return ulong.TryParse(text, style, culture, out ulong w) ? w : null;
        throw new NotSupportedException($"{type.Name} is not a type of configuration fields; use int, long, uint, ulong, double, float, bool, string or an enumeration.");
    }
}
