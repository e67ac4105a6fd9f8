using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Scoring;

/// <summary>One row as scoring sees it.</summary>
/// <param name="Number">Row of the input, from 0.</param>
/// <param name="Input">Texts for rules and reward models.</param>
/// <param name="Tokens">Token ids where the row is a rollout; they are the truth.</param>
/// <param name="Temperature">Sampling temperature where the row tells it.</param>
public sealed record ScoringRow(long Number, RuleInput Input, (int[] Prompt, int[] Response)? Tokens, double? Temperature);

/// <summary>Reads the columns that scoring needs, and no others, in windows.</summary>
internal sealed class ScoringRows : IDisposable
{
    /// <summary>A window ends with the row that fills it up to so many bytes in memory, so that long rows do not fill all of it.</summary>
    public const long WindowBytes = 1 << 25;

    /// <summary>About what a row takes beside its texts and tokens: objects and their heads.</summary>
    private const int RowBytes = 256;

    private static readonly Dictionary<string, string> Empty = [];

    private readonly DataReader _reader;
    private readonly IReadOnlyList<DataColumn> _file;
    private readonly ScoringJob _job;
    private readonly int _prompt;
    private readonly int _response;
    private readonly int _metadata;
    private readonly int _promptTokens;
    private readonly int _responseTokens;
    private readonly int _temperature;
    private readonly (string Name, int Column)[] _further;

    /// <param name="job">Input and column names.</param>
    /// <param name="further">Columns that rewards read where they exist.</param>
    /// <param name="metadata">True: a reward reads the metadata.</param>
    public ScoringRows(ScoringJob job, IEnumerable<string> further, bool metadata)
    {
        _job = job;
        ColumnType responseType, promptType;
        using (DataReader all = DataReader.Open(job.Input))
        {
            all.Require(job.ResponseColumn);
            // Reviews and other plain texts have no prompt: the default column may be missing, a named one may not.
            if (job.PromptColumn != "prompt") all.Require(job.PromptColumn);
            _file = all.FileColumns;
            responseType = TextOrMessages(all, job.ResponseColumn);
            promptType = TextOrMessages(all, job.PromptColumn);
        }

        HashSet<string> own = [job.ResponseColumn, job.PromptColumn, "metadata", "prompt_tokens", "response_tokens", "temperature"];
        string[] asked = [.. further.Distinct().Where(c => !own.Contains(c))];
        var wanted = new List<DataColumn> { new(job.ResponseColumn, responseType) };
        if (job.PromptColumn != job.ResponseColumn) wanted.Add(new DataColumn(job.PromptColumn, promptType) { Optional = true });
        wanted.AddRange(
        [
            .. metadata ? [new DataColumn("metadata", ColumnType.Json) { Optional = true }] : Array.Empty<DataColumn>(),
            new DataColumn("prompt_tokens", ColumnType.Int32List) { Optional = true },
            new DataColumn("response_tokens", ColumnType.Int32List) { Optional = true },
            new DataColumn("temperature", ColumnType.Double) { Optional = true },
            .. asked.Select(c => new DataColumn(c, ColumnType.Json) { Optional = true }),
        ]);
        _reader = DataReader.Open(job.Input, new ReadOptions { Columns = [.. wanted.DistinctBy(c => c.Name)] });
        _response = _reader.Require(job.ResponseColumn);
        _prompt = _reader.Find(job.PromptColumn);
        _metadata = _reader.Find("metadata");
        _promptTokens = _reader.Find("prompt_tokens");
        _responseTokens = _reader.Find("response_tokens");
        _temperature = _reader.Find("temperature");
        _further = [.. asked.Select(c => (c, _reader.Find(c))).Where(c => c.Item2 >= 0)];
    }

    /// <summary>Every column of the input.</summary>
    public IReadOnlyList<DataColumn> FileColumns => _file;

    /// <summary>Number of rows of all files; reads text files once.</summary>
    public long Count() => _reader.CountRows();

    /// <summary>Rows in file order, in windows whose cuts depend on the data alone.</summary>
    /// <param name="rows">Most rows of a window.</param>
    /// <param name="range">Which rows; null: all.</param>
    public IEnumerable<List<ScoringRow>> Windows(int rows, (long First, long Count)? range = null)
    {
        (long first, long count) = range ?? (0, long.MaxValue);
        var window = new List<ScoringRow>();
        long bytes = 0;
        foreach (RowBatch batch in _reader.Batches())
        {
            for (int row = 0; row < batch.Count; row++)
            {
                long number = batch.FirstRow + row;
                if (number < first) continue;
                if (number - first >= count) break;
                ScoringRow read = Row(batch, row);
                window.Add(read);
                bytes += Bytes(read);
                if (window.Count < rows && bytes < WindowBytes) continue;
                yield return window;
                (window, bytes) = ([], 0);
            }

            if (batch.FirstRow + batch.Count - first >= count) break;
        }

        if (window.Count > 0) yield return window;
    }

    private static long Bytes(ScoringRow row)
    {
        long characters = row.Input.Prompt.Length + (long)row.Input.Response.Length + (row.Input.Metadata?.Length ?? 0), tokens = 0;
        foreach ((string name, string value) in row.Input.Columns ?? Empty) characters += name.Length + value.Length;
        if (row.Tokens is { } ids) tokens = ids.Prompt.Length + (long)ids.Response.Length;
        return RowBytes + (characters * sizeof(char)) + (tokens * sizeof(int));
    }

    private ScoringRow Row(RowBatch batch, int row)
    {
        (int[], int[])? tokens = _promptTokens >= 0 && _responseTokens >= 0 && !batch.IsNull(_promptTokens, row) && !batch.IsNull(_responseTokens, row)
            ? (batch.GetInt32List(_promptTokens, row)!, batch.GetInt32List(_responseTokens, row)!)
            : null;
        var place = new RowPlace(_job.Input, batch.FirstRow + row);
        if (tokens is { } ids) TokenIds.Check(place, ids);
        string response = Text(batch, _response, row) ?? throw batch.Bad(_response, row, $"has no {_job.ResponseColumn}; a row to be scored needs one");
        string prompt = _prompt >= 0 ? Text(batch, _prompt, row) ?? "" : "";
        string? metadata = _metadata >= 0 && !batch.IsNull(_metadata, row) ? batch.GetString(_metadata, row) : null;
        double? temperature = _temperature >= 0 && !batch.IsNull(_temperature, row) ? batch.GetDouble(_temperature, row) : null;
        if (temperature is { } t && !(t > 0 && double.IsFinite(t))) throw batch.Bad(_temperature, row, $"is {t}; log-probs need a temperature above 0");
        return new ScoringRow(batch.FirstRow + row, new RuleInput(prompt, response, tokens?.Item2.Length, metadata, Further(batch, row)) { Tokens = tokens, Place = place }, tokens, temperature);
    }

    private Dictionary<string, string>? Further(RowBatch batch, int row)
    {
        if (_further.Length == 0) return null;
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach ((string name, int column) in _further)
        {
            if (!batch.IsNull(column, row)) values[name] = batch.GetString(column, row)!;
        }

        return values;
    }

    // Conversations are read as their contents, one after the other.
    private string? Text(RowBatch batch, int column, int row)
    {
        if (batch.IsNull(column, row)) return null;
        return _reader.Columns[column].Type == ColumnType.Messages
            ? string.Concat((batch.GetMessages(column, row) ?? []).Select(m => m.Content))
            : batch.GetString(column, row);
    }

    private static ColumnType TextOrMessages(DataReader all, string name)
    {
        if (all.FileColumns.FirstOrDefault(c => c.Name == name)?.SqlType.EndsWith(']') == true) return ColumnType.Messages;
        if (!all.HoldsConversations(name)) return ColumnType.Text;
        Log.Info($"{all.Name}: the texts of column '{name}' are lists of messages; they are read as their contents, one after the other");
        return ColumnType.Messages;
    }

    public void Dispose() => _reader.Dispose();
}
