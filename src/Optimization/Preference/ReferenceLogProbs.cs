using Rlhf.Algorithms;
using Rlhf.Models;
using TorchSharp;

namespace Rlhf.Optimization;

/// <summary>The reference's log-probs of every response, once before training: two numbers a pair, so the reference need not stay in memory.</summary>
public static class ReferenceLogProbs
{
    private const int Block = 256;

    /// <summary>Fills <see cref="PreferenceExample.Reference"/> and, where there is one, the mismatched partner's.</summary>
    /// <param name="reference">Frozen.</param>
    /// <param name="examples">Written.</param>
    /// <param name="microBatchTokens">Most padded tokens of a pass.</param>
    /// <param name="device">Where the model is.</param>
    /// <param name="done">Told how many examples are done.</param>
    public static void Fill(LlamaModel reference, IReadOnlyList<PreferenceExample> examples, int microBatchTokens, torch.Device device, Action<int>? done = null)
    {
        for (int start = 0; start < examples.Count; start += Block)
        {
            PreferenceExample[] block = [.. examples.Skip(start).Take(Block)];
            double[] sums = Sums(reference, [.. block.SelectMany(e => e.Responses)], microBatchTokens, device);
            int at = 0;
            foreach (PreferenceExample example in block)
            {
                example.Reference = sums[at..(at + example.Responses.Length)];
                at += example.Responses.Length;
            }

            PreferenceExample[] partnered = [.. block.Where(e => e.Mismatched is not null)];
            double[] mismatched = Sums(reference, [.. partnered.Select(e => e.Mismatched!.Value)], microBatchTokens, device);
            for (int i = 0; i < partnered.Length; i++) partnered[i].MismatchedReference = mismatched[i];
            done?.Invoke(start + block.Length);
        }
    }

    /// <summary>[sequences] Σ_t log π of the response tokens, nats.</summary>
    public static double[] Sums(LlamaModel model, IReadOnlyList<TrainingSequence> sequences, int microBatchTokens, torch.Device device)
    {
        if (sequences.Count == 0) return [];
        int[] offsets = RaggedOffsets.FromLengths([.. sequences.Select(s => s.ResponseLength)]);
        double[] logProbs = new double[offsets[^1]];
        new PolicyScorer(model, null, microBatchTokens, 1, device).Score(sequences, offsets, logProbs, [], []);
        return [.. Enumerable.Range(0, sequences.Count).Select(i => logProbs.AsSpan(offsets[i]..offsets[i + 1]).ToArray().Sum())];
    }
}
