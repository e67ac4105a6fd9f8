using System.Text.Encodings.Web;
using System.Text.Json;
using Rlhf.Core;

namespace Rlhf.Scoring;

/// <summary>Rows and rewards as programs and endpoints exchange them. Errors name the row.</summary>
internal static class RewardJson
{
    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>One row on one line.</summary>
    public static string Row(in RuleInput row, long id) => JsonSerializer.Serialize(Fields(row, id), Readable);

    /// <summary>{"rows": […]}</summary>
    public static string Rows(IReadOnlyList<RuleInput> rows, int first, int count) =>
        JsonSerializer.Serialize(new { rows = Enumerable.Range(first, count).Select(i => Fields(rows[i], i)) }, Readable);

    /// <summary>The reward of one line: {"reward": …} with an id or without, or the bare number, list or null.</summary>
    public static RewardValue Value(string line, long id, string who, RowPlace row)
    {
        using JsonDocument document = Parse(line) ?? throw Nonsense(line, who, row);
        JsonElement root = document.RootElement;
        if (root.ValueKind != JsonValueKind.Object) return Value(root, who, row);
        if (root.TryGetProperty("id", out JsonElement found) && !(found.ValueKind == JsonValueKind.Number && found.TryGetInt64(out long number) && number == id))
        {
            throw new BadDataException($"{row}: {who} answered for row id {Excerpt.Of(found.GetRawText())}; expected {id}. Answers must come in the order of the rows.");
        }

        return root.TryGetProperty("reward", out JsonElement reward) ? Value(reward, who, row) : throw Nonsense(line, who, row);
    }

    /// <summary>{"rewards": […]} of an endpoint.</summary>
    public static RewardValue[] Values(string body, IReadOnlyList<RuleInput> rows, int first, int count, string who)
    {
        using JsonDocument document = Parse(body) ?? throw Other();
        if (document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty("rewards", out JsonElement rewards) || rewards.ValueKind != JsonValueKind.Array)
        {
            throw Other();
        }

        if (rewards.GetArrayLength() != count) throw new BadDataException($"From {rows[first].Place} on: {who} gave {rewards.GetArrayLength()} rewards for {count} rows; expected one a row.");
        return [.. rewards.EnumerateArray().Select((r, i) => Value(r, who, rows[first + i].Place))];

        BadDataException Other() => new($"From {rows[first].Place} on: {who} answered '{Excerpt.Of(body)}'; expected {{\"rewards\": […]}} with {count} rewards.");
    }

    private static RewardValue Value(JsonElement element, string who, RowPlace row)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Null:
                return default;
            case JsonValueKind.Number:
                return new RewardValue(element.GetDouble());
            case JsonValueKind.Array when element.EnumerateArray().All(e => e.ValueKind == JsonValueKind.Number):
                return new RewardValue(0, [.. element.EnumerateArray().Select(e => e.GetSingle())]);
            default:
                throw Nonsense(element.GetRawText(), who, row);
        }
    }

    private static Dictionary<string, object?> Fields(in RuleInput row, long id)
    {
        JsonElement? metadata = null;
        if (!string.IsNullOrEmpty(row.Metadata))
        {
            try
            {
                metadata = JsonSerializer.Deserialize<JsonElement>(row.Metadata);
            }
            catch (JsonException)
            {
                metadata = JsonSerializer.SerializeToElement(row.Metadata); // no JSON: handed on as the text that it is
            }
        }

        return new Dictionary<string, object?> { ["id"] = id, ["prompt"] = row.Prompt, ["response"] = row.Response, ["response_tokens"] = row.ResponseTokens, ["metadata"] = metadata };
    }

    // Null: no JSON.
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

    private static BadDataException Nonsense(string text, string who, RowPlace row) =>
        new($"{row}: {who} answered '{Excerpt.Of(text)}'; expected {{\"reward\": number}}, a list of numbers (one a token) or null.");
}
