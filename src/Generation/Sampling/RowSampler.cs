using Rlhf.Core;

namespace Rlhf.Generation.Sampling;

/// <summary>
/// Draws one token from one row of float32 logits, exactly and without allocation. The draw is the inverse of the cumulative distribution
/// (in token order) at a given uniform, so it depends on the row and the uniform alone: not on the batch, the thread or what was drawn before.
/// Order of operations: repetition penalty (Keskar et al. 2019), forbidden tokens, temperature, top-k, top-p over what top-k kept, min-p.
/// One object a thread: it holds scratch memory of the vocabulary's size.
/// </summary>
public sealed class RowSampler
{
    /// <summary>Values whose exponentials are summed in float32 before the sum joins a float64 total.</summary>
    private const int BlockLength = 1024;

    private readonly int vocabularySize;
    private readonly SamplingOptions options;
    private readonly int[] endTokens;
    private readonly int[] forbiddenTokens;
    private readonly float scale;
    private readonly double temperature;
    private readonly bool filters;
    private readonly float[] blockSums;
    private readonly float[] block = new float[BlockLength];
    private readonly float[] scratch;

    // Logits that were changed in place for one draw: which, and what they were.
    private readonly int[] changedTokens;
    private readonly float[] changedLogits;
    private readonly int[] seen;
    private int changed;
    private int seenStamp;

    /// <param name="vocabularySize">Logits in a row.</param>
    /// <param name="options">Checked by the caller (<see cref="SamplingChecks"/>).</param>
    /// <param name="endTokens">The EOS set, forbidden until MinNewTokens are drawn.</param>
    public RowSampler(int vocabularySize, SamplingOptions options, IReadOnlyList<int> endTokens)
    {
        this.vocabularySize = vocabularySize;
        this.options = options;
        this.endTokens = [.. endTokens.Where(t => t >= 0 && t < vocabularySize)];
        forbiddenTokens = [.. options.ForbiddenTokens.Distinct()];
        temperature = options.Temperature;
        scale = (float)(1 / temperature);
        filters = (options.TopK > 0 && options.TopK < vocabularySize) || options.TopP < 1 || options.MinP > 0;
        blockSums = new float[(vocabularySize + BlockLength - 1) / BlockLength];
        scratch = filters ? new float[vocabularySize + 1] : [];
        bool penalty = options.RepetitionPenalty != 1;
        int most = penalty ? vocabularySize : 0;
        changedTokens = new int[most + this.endTokens.Length + forbiddenTokens.Length];
        changedLogits = new float[changedTokens.Length];
        seen = penalty ? new int[vocabularySize] : [];
    }

    /// <summary>Draws the token of one position.</summary>
    /// <param name="logits">[vocabulary]; changed during the call, restored at its end.</param>
    /// <param name="uniform">In (0, 1); see <see cref="AddressedRandom.SamplingUniform"/>.</param>
    /// <param name="position">Tokens of the response drawn so far.</param>
    /// <param name="prompt">The prompt's ids (read only with a repetition penalty).</param>
    /// <param name="response">The response's ids so far (likewise).</param>
    /// <exception cref="NumericalException">A logit is NaN or +∞, or no token is left to draw.</exception>
    public SampledToken Sample(Span<float> logits, double uniform, int position, ReadOnlySpan<int> prompt, ReadOnlySpan<int> response)
    {
        if (logits.Length != vocabularySize) throw new ArgumentException($"{logits.Length} logits for a vocabulary of {vocabularySize}", nameof(logits));
        float policyMax = ExpKernel.Max(logits);
        double policyTotal = Sum(logits, policyMax, float.NegativeInfinity);
        if (!double.IsFinite(policyTotal) || !(policyTotal > 0)) throw NotFinite(logits);

        changed = 0;
        if (options.RepetitionPenalty != 1) Penalise(logits, prompt, response);
        if (forbiddenTokens.Length > 0) Forbid(logits, forbiddenTokens);
        if (position < options.MinNewTokens) Forbid(logits, endTokens);

        float max = policyMax;
        double total = policyTotal;
        if (changed > 0)
        {
            max = ExpKernel.Max(logits);
            if (float.IsNegativeInfinity(max)) throw new NumericalException("No token is left to draw: every token is forbidden. Allow at least one token.");
            if (!options.Greedy) total = Sum(logits, max, float.NegativeInfinity);
        }

        int token;
        double logprob;
        if (options.Greedy)
        {
            token = First(logits, max);
            logprob = 0;
        }
        else
        {
            float threshold = filters ? Threshold(logits, max, ref total) : float.NegativeInfinity;
            token = Invert(logits, max, threshold, uniform * total);
            logprob = (((double)logits[token] - max) / temperature) - Math.Log(total);
        }

        float policyLogit = Restore(logits, token);
        double policyLogprob = (((double)policyLogit - policyMax) / temperature) - Math.Log(policyTotal);
        return new SampledToken(token, (float)logprob, (float)policyLogprob);
    }

    /// <summary>The smallest logit that all filters keep; <paramref name="total"/> becomes the mass of what is kept.</summary>
    private float Threshold(ReadOnlySpan<float> logits, float max, ref double total)
    {
        float threshold = float.NegativeInfinity;
        if (options.TopK > 0 && options.TopK < vocabularySize)
        {
            threshold = Selection.TopK(logits, options.TopK, scratch);
            if (options.TopP < 1) total = Sum(logits, max, threshold);
        }

        if (options.TopP < 1) threshold = MathF.Max(threshold, Selection.TopP(logits, options.TopP, threshold, max, scale, total, scratch));
        if (options.MinP > 0) threshold = MathF.Max(threshold, (float)(max + (temperature * Math.Log(options.MinP))));
        total = Sum(logits, max, threshold);
        return threshold;
    }

    /// <summary>Σ exp((x − max)/T) of what is kept; leaves the sums of the blocks for <see cref="Invert"/>.</summary>
    private double Sum(ReadOnlySpan<float> logits, float max, float threshold)
    {
        double total = 0;
        for (int b = 0; b < blockSums.Length; b++)
        {
            int from = b * BlockLength;
            float sum = ExpKernel.ExpSum(logits.Slice(from, Math.Min(BlockLength, logits.Length - from)), max, scale, threshold);
            blockSums[b] = sum;
            total += sum;
        }

        return total;
    }

    /// <summary>The token in whose interval of the cumulative mass the target lies.</summary>
    private int Invert(ReadOnlySpan<float> logits, float max, float threshold, double target)
    {
        double below = 0;
        int chosen = -1;
        for (int b = 0; b < blockSums.Length; b++)
        {
            if (!(blockSums[b] > 0)) continue;
            chosen = b;
            if (below + blockSums[b] > target) break;
            below += blockSums[b];
        }

        // When rounding leaves the target beyond the last sum, the last block and its last token that can be drawn stand for it.
        int from = chosen * BlockLength, length = Math.Min(BlockLength, logits.Length - from);
        ExpKernel.Exp(logits.Slice(from, length), max, scale, threshold, block);
        int token = -1;
        for (int i = 0; i < length; i++)
        {
            if (!(block[i] > 0)) continue;
            token = i;
            below += block[i];
            if (below > target) break;
        }

        return from + token;
    }

    /// <summary>The first index of the row's largest value: whole blocks are passed over by their maxima.</summary>
    private static int First(ReadOnlySpan<float> logits, float max)
    {
        for (int from = 0; from < logits.Length; from += BlockLength)
        {
            ReadOnlySpan<float> block = logits.Slice(from, Math.Min(BlockLength, logits.Length - from));
            if (ExpKernel.Max(block) == max) return from + block.IndexOf(max);
        }

        return -1;
    }

    private void Penalise(Span<float> logits, ReadOnlySpan<int> prompt, ReadOnlySpan<int> response)
    {
        seenStamp++;
        PenaliseEach(logits, prompt);
        PenaliseEach(logits, response);
    }

    private void PenaliseEach(Span<float> logits, ReadOnlySpan<int> tokens)
    {
        float penalty = (float)options.RepetitionPenalty;
        foreach (int token in tokens)
        {
            if (seen[token] == seenStamp) continue;
            seen[token] = seenStamp;
            float x = logits[token];
            Change(logits, token, x > 0 ? x / penalty : x * penalty);
        }
    }

    private void Forbid(Span<float> logits, ReadOnlySpan<int> tokens)
    {
        foreach (int token in tokens) Change(logits, token, float.NegativeInfinity);
    }

    private void Change(Span<float> logits, int token, float value)
    {
        changedTokens[changed] = token;
        changedLogits[changed++] = logits[token];
        logits[token] = value;
    }

    /// <summary>Undoes the changes, last first; returns the policy's own logit of the token.</summary>
    private float Restore(Span<float> logits, int token)
    {
        for (int i = changed - 1; i >= 0; i--) logits[changedTokens[i]] = changedLogits[i];
        changed = 0;
        return logits[token];
    }

    private static NumericalException NotFinite(ReadOnlySpan<float> logits)
    {
        int nan = 0, infinite = 0;
        foreach (float x in logits)
        {
            if (float.IsNaN(x)) nan++;
            else if (float.IsPositiveInfinity(x)) infinite++;
        }

        return new NumericalException(
            $"The policy's logits are not finite: {nan} NaN and {infinite} +Inf of {logits.Length}. Nothing can be drawn from them; the weights are damaged or training diverged. Go back to an earlier checkpoint.");
    }
}
