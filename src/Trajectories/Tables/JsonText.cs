using System.Text.Json;

namespace Rlhf.Trajectories;

/// <summary>Lists that stand in a table as JSON text, as CSV must have them and many Parquet files do.</summary>
internal static class JsonText
{
    /// <summary>True for a list of {role, content} (or {from, value}) that is not empty.</summary>
    public static bool IsConversation(string text) => IsList(text, IsMessage);

    /// <summary>True for a list of texts that is not empty.</summary>
    public static bool IsTextList(string text) => IsList(text, e => e.ValueKind == JsonValueKind.String);

    private static bool IsList(string text, Func<JsonElement, bool> element)
    {
        if (!text.AsSpan().TrimStart().StartsWith("[")) return false; // most texts: no parser is asked
        try
        {
            using JsonDocument document = JsonDocument.Parse(text);
            return document.RootElement.GetArrayLength() > 0 && document.RootElement.EnumerateArray().All(element);
        }
        catch (JsonException)
        {
            return false; // a text in brackets
        }
    }

    /// <summary>The elements of a list.</summary>
    /// <param name="json">The list as UTF-8.</param>
    /// <param name="element">What one of them is; throws <see cref="InvalidOperationException"/> or <see cref="FormatException"/> where it is none.</param>
    /// <exception cref="FormatException">The text is no such list.</exception>
    public static T[] List<T>(ReadOnlySpan<byte> json, Func<JsonElement, T> element)
    {
        var reader = new Utf8JsonReader(json);
        try
        {
            using JsonDocument document = JsonDocument.ParseValue(ref reader);
            if (reader.Read()) throw new FormatException("more follows behind it");
            return [.. document.RootElement.EnumerateArray().Select(element)];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new FormatException(e.Message, e);
        }
    }

    private static bool IsMessage(JsonElement element) => element.ValueKind == JsonValueKind.Object
        && ((element.TryGetProperty("role", out _) && element.TryGetProperty("content", out _)) || (element.TryGetProperty("from", out _) && element.TryGetProperty("value", out _)));
}
