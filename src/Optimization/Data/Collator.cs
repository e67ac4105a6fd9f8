using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization;

/// <summary>One sequence as trained: the tokens, and where the response begins.</summary>
/// <param name="Tokens">[length] prompt then response.</param>
/// <param name="ResponseStart">Index of the first response token, ≥ 1.</param>
public readonly record struct TrainingSequence(ReadOnlyMemory<int> Tokens, int ResponseStart)
{
    public int ResponseLength => Tokens.Length - ResponseStart;

    /// <summary>Where it comes from, for messages: a row of the data, or a block of packed text, from 0.</summary>
    public long Row { get; init; }
}

/// <summary>
/// The only place that pads. Right padding (harmless under causal attention), inputs one token shorter than the sequence, and flat
/// indices of the positions that predict a response token, in order: sequence by sequence, token by token.
/// </summary>
/// <param name="Inputs">[batch, time] int64.</param>
/// <param name="Positions">[response tokens] int64: row·time + column of the state that predicts the token.</param>
/// <param name="Targets">[response tokens] int64: the tokens predicted.</param>
/// <param name="Offsets">[batch + 1] where each sequence's tokens begin in the flat arrays.</param>
public sealed record CollatedBatch(Tensor Inputs, Tensor Positions, Tensor Targets, int[] Offsets) : IDisposable
{
    public int ResponseTokens => Offsets[^1];

    /// <summary>Pads the sequences. The pad id is arbitrary: no padded position is ever read.</summary>
    public static CollatedBatch Create(IReadOnlyList<TrainingSequence> sequences, Device device)
    {
        int time = sequences.Max(s => s.Tokens.Length) - 1;
        int[] offsets = new int[sequences.Count + 1];
        for (int i = 0; i < sequences.Count; i++) offsets[i + 1] = offsets[i] + sequences[i].ResponseLength;
        long[] inputs = new long[sequences.Count * time], positions = new long[offsets[^1]], targets = new long[offsets[^1]];
        for (int row = 0; row < sequences.Count; row++)
        {
            ReadOnlySpan<int> tokens = sequences[row].Tokens.Span;
            for (int i = 0; i < tokens.Length - 1; i++) inputs[(row * time) + i] = tokens[i];
            int start = sequences[row].ResponseStart;
            for (int i = start; i < tokens.Length; i++)
            {
                int flat = offsets[row] + i - start;
                positions[flat] = (row * time) + i - 1;
                targets[flat] = tokens[i];
            }
        }

        return new CollatedBatch(
            tensor(inputs, sequences.Count, time).to(device),
            tensor(positions).to(device),
            tensor(targets).to(device),
            offsets);
    }

    /// <summary>Cuts row indices into batches of at most <paramref name="maxTokens"/> padded tokens, longest first, so that padding is little.</summary>
    public static List<int[]> CutByTokens(IReadOnlyList<int> lengths, int maxTokens)
    {
        int[] order = [.. Enumerable.Range(0, lengths.Count).OrderByDescending(i => lengths[i]).ThenBy(i => i)];
        var batches = new List<int[]>();
        for (int start = 0; start < order.Length;)
        {
            int rows = Math.Clamp(maxTokens / Math.Max(1, lengths[order[start]]), 1, order.Length - start);
            batches.Add(order[start..(start + rows)]);
            start += rows;
        }

        return batches;
    }

    public void Dispose()
    {
        Inputs.Dispose();
        Positions.Dispose();
        Targets.Dispose();
    }
}
