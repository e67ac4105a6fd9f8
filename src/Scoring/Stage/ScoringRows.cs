using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Scoring;

/// <summary>One row as scoring sees it.</summary>
/// <param name="Number">Row of the input, from 0.</param>
/// <param name="Input">Texts for rules and reward models.</param>
/// <param name="Tokens">Token ids where the row is a rollout; they are the truth.</param>
/// <param name="Temperature">Sampling temperature where the row tells it.</param>
public sealed record ScoringRow(long Number, RuleInput Input, (int[] Prompt, int[] Response)? Tokens, double? Temperature);

/// <summary>Reads the columns that scoring needs, in windows.</summary>
internal sealed class ScoringRows : IDisposable
{
    private readonly DataReader _reader;
    private readonly ScoringJob _job;
    private readonly int _prompt;
    private readonly int _response;
    private readonly int _metadata;
    private readonly int _promptTokens;
    private readonly int _responseTokens;
    private readonly int _temperature;

    public ScoringRows(ScoringJob job)
    {
        _job = job;
        _reader = DataReader.Open(job.Input);
        _response = _reader.Require(job.ResponseColumn);
        // Reviews and other plain texts have no prompt: the default column may be missing, a named one may not.
        _prompt = job.PromptColumn == "prompt" ? _reader.Find("prompt") : _reader.Require(job.PromptColumn);
        _metadata = _reader.Find("metadata");
        _promptTokens = Typed("prompt_tokens", ColumnType.Int32List);
        _responseTokens = Typed("response_tokens", ColumnType.Int32List);
        _temperature = Typed("temperature", ColumnType.Double);
    }

    public IEnumerable<List<ScoringRow>> Windows(int rows)
    {
        var window = new List<ScoringRow>(rows);
        foreach (RowBatch batch in _reader.Batches())
        {
            for (int row = 0; row < batch.Count; row++)
            {
                window.Add(Row(batch, row));
                if (window.Count < rows) continue;
                yield return window;
                window = new List<ScoringRow>(rows);
            }
        }

        if (window.Count > 0) yield return window;
    }

    private ScoringRow Row(RowBatch batch, int row)
    {
        (int[], int[])? tokens = _promptTokens >= 0 && _responseTokens >= 0 && !batch.IsNull(_promptTokens, row) && !batch.IsNull(_responseTokens, row)
            ? (batch.GetInt32List(_promptTokens, row)!, batch.GetInt32List(_responseTokens, row)!)
            : null;
        string response = Text(batch, _response, row) ?? throw batch.Bad(_response, row, $"has no {_job.ResponseColumn}; a row to be scored needs one");
        string prompt = _prompt >= 0 ? Text(batch, _prompt, row) ?? "" : "";
        string? metadata = _metadata >= 0 ? Text(batch, _metadata, row) : null;
        double? temperature = _temperature >= 0 && !batch.IsNull(_temperature, row) ? batch.GetDouble(_temperature, row) : null;
        return new ScoringRow(batch.FirstRow + row, new RuleInput(prompt, response, tokens?.Item2.Length, metadata), tokens, temperature);
    }

    private string? Text(RowBatch batch, int column, int row)
    {
        if (batch.IsNull(column, row)) return null;
        return _reader.Columns[column].Type switch
        {
            ColumnType.Messages => string.Concat((batch.GetMessages(column, row) ?? []).Select(m => m.Content)),
            ColumnType.Text or ColumnType.Json => batch.GetString(column, row),
            ColumnType type => throw batch.Bad(column, row, $"is {type}; a text is expected"),
        };
    }

    private int Typed(string name, ColumnType type) => _reader.Find(name) is >= 0 and int i && _reader.Columns[i].Type == type ? i : -1;

    public void Dispose() => _reader.Dispose();
}
