using Rlhf.Core;
using Rlhf.Generation.Sampling;

namespace Rlhf.Generation;

/// <summary>Draws a row's next token and decides whether the response ends with it.</summary>
internal sealed class RowDrawer
{
    private readonly SamplingOptions _options;
    private readonly RowSampler _sampler;
    private readonly bool[] _isEnd; // by token

    public RowDrawer(PolicyFolder folder, SamplingOptions options)
    {
        _options = options;
        _sampler = new RowSampler(folder.VocabularySize, options, folder.EndTokens);
        _isEnd = new bool[folder.VocabularySize];
        foreach (int token in folder.EndTokens)
        {
            if (token >= 0 && token < _isEnd.Length) _isEnd[token] = true;
        }
    }

    public void Draw(Row row, Span<float> logits)
    {
        double uniform = AddressedRandom.SamplingUniform(_options.Seed, _options.Iteration, row.Prompt.Key, row.Sample, row.Count);
        SampledToken drawn = _sampler.Sample(logits, uniform, row.Count, row.Prompt.Tokens, row.Tokens.AsSpan(0, row.Count));
        row.Add(drawn);
        bool stopped = row.Stop is not null && row.Stop.Append(row.Text!.Append(drawn.Token));
        if (_isEnd[drawn.Token]) row.Finished = FinishReason.Eos;
        else if (stopped && row.Count >= _options.MinNewTokens) row.Finished = FinishReason.Stop;
        else if (row.Count == row.Tokens.Length) row.Finished = FinishReason.Length;
    }
}
