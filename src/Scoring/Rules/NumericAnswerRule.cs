using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Rlhf.Core;

namespace Rlhf.Scoring;

/// <summary>
/// Exact numeric answer, as of GSM8K (Cobbe et al. 2021): the last number of the response (after the last '####' where there is one) equals
/// the expected one. That stands in a field of the metadata, in verl's <c>reward_model.ground_truth</c>, or in a column of the field's name.
/// Null when the row expects none.
/// </summary>
public sealed partial class NumericAnswerRule(RuleArguments arguments) : IRewardRule
{
    private const string Verl = "reward_model", GroundTruth = "ground_truth";
    private readonly string _field = arguments.Text("field", "answer");
    private readonly double _match = arguments.Number("match", 1);
    private readonly double _otherwise = arguments.Number("otherwise", 0);
    private readonly double _tolerance = arguments.Number("tolerance", 0, 0, 1e9);

    public string Name => "numeric-answer";

    public IReadOnlyList<string> Columns => [_field, Verl];

    public bool ReadsMetadata => true;

    public double? Score(in RuleInput row)
    {
        if (Expected(row) is not { } expected) return null;
        return LastNumber(row.Response) is { } found && IsWithin((decimal)_tolerance, found, expected) ? _match : _otherwise;
    }

    // Numbers of different signs may lie further apart than a decimal reaches.
    private static bool IsWithin(decimal tolerance, decimal a, decimal b) =>
        decimal.IsNegative(a) == decimal.IsNegative(b) ? Math.Abs(a - b) <= tolerance : Math.Abs(a) <= tolerance && Math.Abs(b) <= tolerance - Math.Abs(a);

    /// <summary>
    /// The last number of the text; thousands separators and a leading $ are understood ("$1,234.50" is 1234.5). Null where there is none, or where it is
    /// beyond ±7.9e28: the number before it is not the answer.
    /// </summary>
    public static decimal? LastNumber(string text)
    {
        int marker = text.LastIndexOf("####", StringComparison.Ordinal);
        MatchCollection numbers = Number().Matches(marker >= 0 ? text[(marker + 4)..] : text);
        if (numbers.Count == 0) return null;
        string digits = numbers[^1].Value.Replace(",", "", StringComparison.Ordinal);
        return decimal.TryParse(digits, NumberStyles.Float, CultureInfo.InvariantCulture, out decimal value) ? value : null;
    }

    private decimal? Expected(in RuleInput row)
    {
        if (!string.IsNullOrEmpty(row.Metadata))
        {
            using JsonDocument document = Parse(row.Metadata)
                ?? throw new BadDataException($"Rule 'numeric-answer': metadata is no JSON: '{row.Metadata}'. It should be an object such as {{\"{_field}\": \"42\"}}.");
            if (document.RootElement.ValueKind == JsonValueKind.Object && Find(document.RootElement, out JsonElement element)) return Value(element);
        }

        if (row.Columns is null) return null;
        if (row.Columns.TryGetValue(_field, out string? text)) return OfText(text);
        return row.Columns.TryGetValue(Verl, out text) ? OfText(text) : null;
    }

    // A column's value: JSON where it is some ("\"#### 42\"", {"ground_truth": 42}), else a text.
    private static decimal? OfText(string text)
    {
        using JsonDocument? document = Parse(text);
        if (document is null) return LastNumber(text);
        JsonElement root = document.RootElement;
        return root.ValueKind == JsonValueKind.Object ? (root.TryGetProperty(GroundTruth, out JsonElement element) ? Value(element) : null) : Value(root);
    }

    private static decimal? Value(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Number when element.TryGetDecimal(out decimal number) => number,
        JsonValueKind.String => LastNumber(element.GetString()!),
        _ => null,
    };

    private bool Find(JsonElement root, out JsonElement element) =>
        root.TryGetProperty(_field, out element)
        || (root.TryGetProperty(Verl, out JsonElement verl) && verl.ValueKind == JsonValueKind.Object && verl.TryGetProperty(GroundTruth, out element));

    private static JsonDocument? Parse(string text)
    {
        try
        {
            return JsonDocument.Parse(text);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    [GeneratedRegex(@"-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|-?\.\d+", RegexOptions.CultureInvariant)]
    private static partial Regex Number();
}
