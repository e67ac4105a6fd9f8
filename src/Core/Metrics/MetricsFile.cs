using System.Text;
using System.Text.Json;

namespace Rlhf.Core;

/// <summary>
/// The format of <c>metrics.jsonl</c>: one JSON object a line, <c>iteration</c> first, then the metrics in catalogue order. JSON has no
/// NaN or Infinity, so these are the texts "NaN", "Infinity" and "-Infinity".
/// </summary>
public static class MetricsFile
{
    private const string IterationKey = "iteration";

    private static readonly JsonWriterOptions Format = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>One line without the line break.</summary>
    /// <exception cref="ArgumentException">A metric that is not in the catalogue.</exception>
    public static string ToLine(MetricRow row, MetricCatalogue? catalogue = null)
    {
        using MemoryStream bytes = new();
        using (Utf8JsonWriter json = new(bytes, Format)) Write(json, row, withTimes: true, catalogue ?? MetricCatalogue.Default);
        return Encoding.UTF8.GetString(bytes.GetBuffer().AsSpan(0, (int)bytes.Length));
    }

    /// <summary>Writes rows, a line each, without wall-clock metrics: what equal runs have in common byte for byte.</summary>
    /// <param name="stream">Stays open.</param>
    /// <param name="rows">Rows of a <see cref="MetricHistory"/> are written without being sorted or copied.</param>
    /// <param name="catalogue">The default one when null.</param>
    /// <exception cref="ArgumentException">A metric that is not in the catalogue.</exception>
    public static void WriteWithoutTimes(Stream stream, IEnumerable<MetricRow> rows, MetricCatalogue? catalogue = null)
    {
        using Utf8JsonWriter json = new(stream, Format);
        foreach (MetricRow row in rows)
        {
            Write(json, row, withTimes: false, catalogue ?? MetricCatalogue.Default);
            json.Flush();
            json.Reset();
            stream.WriteByte((byte)'\n');
        }
    }

    private static void Write(Utf8JsonWriter json, MetricRow row, bool withTimes, MetricCatalogue catalogue)
    {
        json.WriteStartObject();
        json.WriteNumber(IterationKey, row.Iteration);
        IEnumerable<string> names = row.Values is MetricValues ordered && ordered.Catalogue == catalogue ? row.Values.Keys : catalogue.InOrder(row.Values.Keys);
        foreach (string name in names)
        {
            if (!withTimes && MetricCatalogue.IsTime(name)) continue;
            double value = row.Values[name];
            if (double.IsFinite(value)) json.WriteNumber(name, value);
            else json.WriteString(name, double.IsNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
        }

        json.WriteEndObject();
    }

    /// <summary>Reads all rows. A last line without a line break (a writer that was killed) is left out.</summary>
    /// <exception cref="BadDataException">The file is missing or a whole line is not a metrics row.</exception>
    public static IReadOnlyList<MetricRow> Read(string path)
    {
        string text = FileErrors.Reading(path, () => File.ReadAllText(path));
        List<MetricRow> rows = [];
        int number = 0;
        foreach (string line in WholeLines(text))
        {
            number++;
            if (line.Length > 0) rows.Add(Parse(line, path, number));
        }

        return rows;
    }

    /// <summary>The rows that can be read, in file order; none when there is no file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="badLine">What is wrong with the first line that is no metrics row, or null.</param>
    public static IReadOnlyList<MetricRow> ReadUndamaged(string path, out string? badLine)
    {
        badLine = null;
        List<MetricRow> rows = [];
        if (!File.Exists(path)) return rows;
        int number = 0;
        foreach (string line in WholeLines(FileErrors.Reading(path, () => File.ReadAllText(path))))
        {
            number++;
            try
            {
                if (line.Length > 0) rows.Add(Parse(line, path, number));
            }
            catch (BadDataException error)
            {
                badLine ??= error.Message.TrimEnd('.') + ".";
            }
        }

        return rows;
    }

    /// <summary>The file's text as <see cref="WriteWithoutTimes"/> writes it.</summary>
    /// <exception cref="BadDataException">As <see cref="Read"/>.</exception>
    public static string WithoutTimes(string path, MetricCatalogue? catalogue = null)
    {
        using MemoryStream bytes = new();
        WriteWithoutTimes(bytes, Read(path), catalogue);
        return Encoding.UTF8.GetString(bytes.GetBuffer().AsSpan(0, (int)bytes.Length));
    }

    internal static IEnumerable<string> WholeLines(string text)
    {
        int start = 0;
        for (int end; (end = text.IndexOf('\n', start)) >= 0; start = end + 1) yield return text[start..end].TrimEnd('\r');
    }

    internal static MetricRow Parse(string line, string path, int number)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line, new JsonDocumentOptions { MaxDepth = 4 });
            int? iteration = null;
            Dictionary<string, double> values = [];
            foreach (JsonProperty property in document.RootElement.EnumerateObject())
            {
                if (property.Name == IterationKey) iteration = property.Value.GetInt32();
                else values[property.Name] = property.Value.ValueKind == JsonValueKind.String ? NonFinite(property.Value.GetString()!) : property.Value.GetDouble();
            }

            return new MetricRow(iteration ?? throw new FormatException("there is no \"iteration\""), values);
        }
        catch (Exception error) when (error is JsonException or FormatException or InvalidOperationException)
        {
            throw new BadDataException($"{path}:{number}: this line is not a metrics row (a JSON object with \"iteration\" and numbers): {error.Message}", error);
        }
    }

    private static double NonFinite(string text) => text switch
    {
        "NaN" => double.NaN,
        "Infinity" => double.PositiveInfinity,
        "-Infinity" => double.NegativeInfinity,
        _ => throw new FormatException($"'{text}' is not a number"),
    };
}
