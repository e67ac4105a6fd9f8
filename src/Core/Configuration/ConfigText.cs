using System.Collections;
using System.Globalization;
using System.Text;

namespace Rlhf.Core;

/// <summary>How values and names look in YAML and in messages.</summary>
internal static class ConfigText
{
    /// <summary>ClipRange → clip_range, TopK → top_k, KLCoefficient → kl_coefficient.</summary>
    public static string SnakeCase(string name)
    {
        StringBuilder text = new();
        for (int i = 0; i < name.Length; i++)
        {
            bool startsWord = char.IsUpper(name[i]) && i > 0 && name[i - 1] != '.' && name[i - 1] != '_'
                && (!char.IsUpper(name[i - 1]) || (i + 1 < name.Length && char.IsLower(name[i + 1])));
            if (startsWord) text.Append('_');
            text.Append(char.ToLowerInvariant(name[i]));
        }

        return text.ToString();
    }

    /// <summary>A number, truth value, enumeration member or text as YAML has it; lists in brackets. For messages and differences.</summary>
    public static string Of(object? value) => value switch
    {
        null => "null",
        string text => text.Length == 0 ? "''" : text,
        bool truth => truth ? "true" : "false",
        double number => Number(number),
        float number => Number(number),
        Enum member => SnakeCase(member.ToString()),
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        IEnumerable list => $"[{string.Join(", ", list.Cast<object?>().Select(Of))}]",
        _ => value.ToString() ?? "null",
    };

    /// <summary>The shortest text that reads back as the same number, without exponents where people do not expect one.</summary>
    private static string Number(double value)
    {
        if (double.IsPositiveInfinity(value)) return ".inf";
        if (double.IsNegativeInfinity(value)) return "-.inf";
        if (double.IsNaN(value)) return ".nan";
        double size = Math.Abs(value);
        return size is > 1e-5 and < 1e15 or 0
            ? ((decimal)value is decimal exact && (double)exact == value ? exact.ToString(CultureInfo.InvariantCulture) : Shortest(value))
            : Shortest(value);
    }

    private static string Number(float value) => float.IsFinite(value) ? Shortest(value) : Number((double)value);
    private static string Shortest(IFormattable value) => value.ToString("R", CultureInfo.InvariantCulture).Replace("E", "e", StringComparison.Ordinal);
}
