using Rlhf.Core;
using Rlhf.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization;

/// <summary>A response drawn by <see cref="TorchSampler"/>.</summary>
/// <param name="Tokens">New tokens, EOS included when it was drawn.</param>
/// <param name="LogProbs">[tokens] nats, of the distribution drawn from.</param>
/// <param name="Finished">True: it ended by EOS.</param>
public sealed record DrawnResponse(int[] Tokens, double[] LogProbs, bool Finished);

/// <summary>
/// Draws responses in torch, all rows in step with one key/value cache: for tiny models and for tests of decoding with Q heads. Rollouts of real
/// models are drawn by <c>rlhf-generate</c>.
/// </summary>
public static class TorchSampler
{
    /// <summary>Continues prompts of one length until EOS or the limit.</summary>
    /// <param name="model">A language model.</param>
    /// <param name="prompts">At least one; all of one length.</param>
    /// <param name="maxNewTokens">Most new tokens.</param>
    /// <param name="uniform">(row, position from 0) → a number in (0, 1); null: the most likely token, ties to the lowest id.</param>
    /// <param name="shift">[rows, hidden] → [rows, vocabulary] added to the logits, or null: ILQL's β · min(Q₁, Q₂).</param>
    /// <param name="temperature">Logits (after the shift) are divided by it.</param>
    public static DrawnResponse[] Draw(
        LlamaModel model, IReadOnlyList<int[]> prompts, int maxNewTokens, Func<int, int, double>? uniform, Func<Tensor, Tensor>? shift = null, double temperature = 1)
    {
        int rows = prompts.Count, length = prompts[0].Length, vocabulary = model.Config.VocabSize;
        if (prompts.Any(p => p.Length != length || length == 0)) throw new ArgumentException("The prompts need one length of at least 1.", nameof(prompts));
        using IDisposable noGrad = no_grad();
        using var cache = new KeyValueCache(model, rows, length + maxNewTokens);
        List<int>[] tokens = [.. Enumerable.Range(0, rows).Select(_ => new List<int>())];
        List<double>[] logProbs = [.. Enumerable.Range(0, rows).Select(_ => new List<double>())];
        bool[] finished = new bool[rows];
        long[] next = [.. prompts.SelectMany(p => p.Select(t => (long)t))];
        for (int step = 0; step < maxNewTokens && !Array.TrueForAll(finished, f => f); step++)
        {
            float[] distribution = LogProbs(model, tensor(next, rows, next.Length / rows), cache, shift, temperature);
            next = new long[rows];
            for (int row = 0; row < rows; row++)
            {
                if (finished[row]) continue; // its column goes on with token 0, which nobody reads
                ReadOnlySpan<float> p = distribution.AsSpan(row * vocabulary, vocabulary);
                int token = uniform is null ? System.Numerics.Tensors.TensorPrimitives.IndexOfMax(p) : Inverse(p, uniform(row, step));
                tokens[row].Add(token);
                logProbs[row].Add(p[token]);
                finished[row] = model.Config.EosTokenIds.Contains(token);
                next[row] = token;
            }
        }

        return [.. Enumerable.Range(0, rows).Select(r => new DrawnResponse([.. tokens[r]], [.. logProbs[r]], finished[r]))];
    }

    private static float[] LogProbs(LlamaModel model, Tensor ids, KeyValueCache cache, Func<Tensor, Tensor>? shift, double temperature)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor hidden = model.Hidden(ids.to(model.Device), cache);
        Tensor last = hidden.select(1, hidden.shape[1] - 1); // [rows, hidden]
        Tensor logits = model.Logits(last);
        if (shift is not null) logits = logits.add(shift(last));
        if (temperature != 1) logits = logits.div(temperature);
        return PolicyScorer.HostFloats(logits.log_softmax(-1));
    }

    /// <summary>The first token at which the cumulative probability passes u.</summary>
    private static int Inverse(ReadOnlySpan<float> logProbs, double u)
    {
        double sum = 0;
        int last = 0;
        for (int token = 0; token < logProbs.Length; token++)
        {
            double p = Math.Exp(logProbs[token]);
            if (p > 0) last = token;
            sum += p;
            if (u < sum) return token;
        }

        return last; // rounding left the sum just below u
    }
}
