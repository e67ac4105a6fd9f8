using System.Globalization;
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
        _isEnd = folder.EndMask();
    }

    public void Draw(Row row, Span<float> logits)
    {
        double uniform = AddressedRandom.SamplingUniform(_options.Seed, _options.Iteration, row.Prompt.Key, row.Sample, row.Count);
        SampledToken drawn;
        try
        {
            drawn = _sampler.Sample(logits, uniform, row.Count, row.Prompt.Tokens, row.Tokens.AsSpan(0, row.Count));
        }
        catch (NumericalException error)
        {
            throw new NumericalException($"{Place(row)}: {error.Message}", error);
        }

        Take(row, drawn);
    }

    /// <summary>The random bits of a row's next token, for a graph that draws.</summary>
    public ulong Bits(Row row) => AddressedRandom.SamplingBits(_options.Seed, _options.Iteration, row.Prompt.Key, row.Sample, row.Count);

    /// <summary>Takes a token that the graph has drawn.</summary>
    public void Take(Row row, (int Token, float Logprob) drawn)
    {
        if (!float.IsFinite(drawn.Logprob)) throw new NumericalException($"{Place(row)}: The policy's logits are not finite. Nothing can be drawn from them; the weights are damaged or training diverged. Go back to an earlier checkpoint.");
        Take(row, new SampledToken(drawn.Token, _options.Greedy ? 0 : drawn.Logprob, drawn.Logprob));
    }

    private string Place(Row row) => string.Create(CultureInfo.InvariantCulture, $"Iteration {_options.Iteration}, prompt '{row.Prompt.Source.Id}', sample {row.Sample}, token {row.Count + 1} of the response");

    private void Take(Row row, SampledToken drawn)
    {
        row.Add(drawn);
        bool stopped = row.Stop is not null && row.Stop.Append(row.Text!.Append(drawn.Token));
        if (_isEnd[drawn.Token]) row.Finished = FinishReason.Eos;
        else if (stopped && row.Count >= _options.MinNewTokens) row.Finished = FinishReason.Stop;
        else if (row.Count == row.Tokens.Length) row.Finished = FinishReason.Length;
    }
}
