using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Rlhf.Core;

namespace Rlhf.Trajectories;

/// <summary>Gathers what a prompt file says beside the prompt into one JSON object a row.</summary>
internal sealed class PromptMetadata
{
    // A file is no web page: texts stay readable.
    private static readonly JsonWriterOptions s_options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = false };
    private readonly ArrayBufferWriter<byte> _bytes = new();

    /// <param name="metadata">The row's own metadata: an object is merged in, anything else becomes the member "metadata".</param>
    /// <param name="fields">Name, value as text, and whether the value is a text (or else JSON).</param>
    /// <param name="messages">The conversation, when the prompt has more than one turn.</param>
    /// <returns>JSON, or null when there is nothing to say.</returns>
    public string? Join(string? metadata, IEnumerable<(string Name, string? Value, bool IsText)> fields, IReadOnlyList<ChatMessage>? messages)
    {
        _bytes.Clear();
        bool any = false;
        using (var writer = new Utf8JsonWriter(_bytes, s_options))
        {
            writer.WriteStartObject();
            var names = new HashSet<string>(StringComparer.Ordinal);
            if (metadata is not null) any = WriteMetadata(writer, metadata, names);
            foreach ((string name, string? value, bool isText) in fields)
            {
                if (value is null || !names.Add(name)) continue;
                writer.WritePropertyName(name);
                WriteValue(writer, value, isText);
                any = true;
            }

            if (messages is not null && names.Add("messages"))
            {
                writer.WriteStartArray("messages");
                foreach (ChatMessage message in messages)
                {
                    writer.WriteStartObject();
                    writer.WriteString("role", message.Role);
                    writer.WriteString("content", message.Content);
                    writer.WriteEndObject();
                }

                writer.WriteEndArray();
                any = true;
            }

            writer.WriteEndObject();
        }

        return any ? System.Text.Encoding.UTF8.GetString(_bytes.WrittenSpan) : null;
    }

    private static bool WriteMetadata(Utf8JsonWriter writer, string metadata, HashSet<string> names)
    {
        if (Parse(metadata) is not { } document)
        {
            names.Add("metadata");
            writer.WriteString("metadata", metadata);
            return true;
        }

        using (document)
        {
            if (document.RootElement.ValueKind == JsonValueKind.Object)
            {
                foreach (JsonProperty property in document.RootElement.EnumerateObject())
                {
                    if (names.Add(property.Name)) property.WriteTo(writer);
                }

                return names.Count > 0;
            }

            names.Add("metadata");
            writer.WritePropertyName("metadata");
            document.RootElement.WriteTo(writer);
            return true;
        }
    }

    private static void WriteValue(Utf8JsonWriter writer, string value, bool isText)
    {
        // CSV numbers such as 007 are no JSON: then they are texts.
        if (!isText && Parse(value) is { } document)
        {
            using (document) document.RootElement.WriteTo(writer);
            return;
        }

        writer.WriteStringValue(value);
    }

    private static JsonDocument? Parse(string json)
    {
        try
        {
            return JsonDocument.Parse(json);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
