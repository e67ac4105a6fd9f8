using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Rlhf.Scoring;

/// <summary>
/// Exact numeric answer, as of GSM8K: the last number of the response (after the last '####' where there is one) equals the expected
/// number of a metadata field. Null when the row expects none.
/// </summary>
public sealed partial class NumericAnswerRule(RuleArguments arguments) : IRewardRule
{
    private readonly string _field = arguments.Text("field", "answer");
    private readonly double _match = arguments.Number("match", 1);
    private readonly double _otherwise = arguments.Number("otherwise", 0);
    private readonly double _tolerance = arguments.Number("tolerance", 0, 0);

    public string Name => "numeric-answer";

    public double? Score(in RuleInput row)
    {
        if (Expected(row.Metadata) is not { } expected) return null;
        return LastNumber(row.Response) is { } found && Math.Abs((decimal)_tolerance) >= Math.Abs(found - expected) ? _match : _otherwise;
    }

    /// <summary>The last number of the text; thousands separators and a leading $ are understood ("$1,234.50" is 1234.5).</summary>
    public static decimal? LastNumber(string text)
    {
        int marker = text.LastIndexOf("####", StringComparison.Ordinal);
        MatchCollection numbers = Number().Matches(marker >= 0 ? text[(marker + 4)..] : text);
        for (int i = numbers.Count - 1; i >= 0; i--)
        {
            string digits = numbers[i].Value.Replace(",", "", StringComparison.Ordinal);
            if (decimal.TryParse(digits, NumberStyles.Float, CultureInfo.InvariantCulture, out decimal value)) return value;
        }

        return null;
    }

    private decimal? Expected(string? metadata)
    {
        if (string.IsNullOrEmpty(metadata)) return null;
        using JsonDocument document = JsonDocument.Parse(metadata);
        if (document.RootElement.ValueKind != JsonValueKind.Object || !Find(document.RootElement, out JsonElement element)) return null;
        return element.ValueKind switch
        {
            JsonValueKind.Number when element.TryGetDecimal(out decimal number) => number,
            JsonValueKind.String => LastNumber(element.GetString()!),
            _ => null,
        };
    }

    // The field itself, or verl's reward_model.ground_truth.
    private bool Find(JsonElement root, out JsonElement element) =>
        root.TryGetProperty(_field, out element)
        || (root.TryGetProperty("reward_model", out JsonElement verl) && verl.ValueKind == JsonValueKind.Object && verl.TryGetProperty("ground_truth", out element));

    [GeneratedRegex(@"-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|-?\.\d+", RegexOptions.CultureInvariant)]
    private static partial Regex Number();
}
