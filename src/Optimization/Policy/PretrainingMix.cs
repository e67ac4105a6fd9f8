using Rlhf.Algorithms;
using Rlhf.Core;
using Rlhf.Models;
using Rlhf.Tokenization;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization;

/// <summary>
/// The pretraining text of PPO-ptx (Ouyang et al. 2022, equation 2): γ · E[log π(x)] is added to every step. Which sequences a step gets is a pure function of
/// its number, so a resumed run needs no position.
/// </summary>
/// <param name="corpus">The text as tokens.</param>
/// <param name="sequencesPerStep">Sequences of one step.</param>
public sealed class PretrainingMix(PackedCorpus corpus, int sequencesPerStep)
{
    /// <summary>The configured files, tokenised with the policy's own tokenizer; null when the mix is off.</summary>
    /// <param name="run">Names files and tokenizer.</param>
    /// <param name="positions">Of the policy.</param>
    /// <exception cref="ConfigurationException">A sequence is longer than the policy's positions.</exception>
    /// <exception cref="BadDataException">Too little text.</exception>
    public static PretrainingMix? Open(RunConfig run, int positions)
    {
        MethodConfig config = run.Method;
        if (config.PtxCoefficient == 0) return null;
        if (config.PtxLength > positions) throw new ConfigurationException($"method.ptx_length is {config.PtxLength}; the policy has {positions} positions. Use at most {positions}.");
        using Tokenizer tokenizer = Tokenizer.Open(run.Policy);
        var tokens = new List<int>();
        foreach (TextRows.Row row in TextRows.Read(config.PtxData, [config.PtxColumn], new Dictionary<string, string>()))
        {
            if (row.Texts[0] is { Length: > 0 } text) tokens.AddRange(SftData.Document(text, tokenizer));
        }

        var corpus = new PackedCorpus([.. tokens], config.PtxLength, run.Seed);
        if (corpus.SequencesPerEpoch > 0) return new PretrainingMix(corpus, config.PtxSequences);
        throw new BadDataException($"{string.Join(", ", config.PtxData)}: {tokens.Count} tokens are too few for one sequence of method.ptx_length {config.PtxLength}. Add text or lower it.");
    }

    /// <summary>The sequences of an optimiser step, counted from 0 over the whole run.</summary>
    public TrainingSequence[] Of(long step) => [.. Enumerable.Range(0, sequencesPerStep).Select(i => corpus.Sequence((step * sequencesPerStep) + i))];

    /// <summary>Adds the gradient of −γ · mean log π of a step's text; returns this term of the loss.</summary>
    /// <param name="policy">Whose gradient.</param>
    /// <param name="head">Of the policy.</param>
    /// <param name="config">γ and the size of a micro-batch.</param>
    /// <param name="step">Optimiser steps before this one.</param>
    public double AddGradient(LlamaModel policy, LanguageModelHead head, MethodConfig config, long step)
    {
        TrainingSequence[] sequences = Of(step);
        double weight = 1.0 / sequences.Sum(s => s.ResponseLength), total = 0;
        foreach (int[] cut in CollatedBatch.CutByTokens([.. sequences.Select(s => s.Tokens.Length)], config.MicroBatchTokens))
        {
            using DisposeScope scope = NewDisposeScope();
            CollatedBatch collated = CollatedBatch.Create([.. cut.Select(i => sequences[i])], policy.Device);
            Tensor chosen = PolicyScorer.States(policy, collated);
            HeadForward forward = head.Forward(chosen.detach(), collated.Targets, 1, withEntropy: false, forBackward: true);
            int n = collated.ResponseTokens;
            double[] weights = new double[n], gradient = new double[n];
            bool[] mask = new bool[n];
            Array.Fill(weights, weight);
            Array.Fill(mask, true);
            total += LikelihoodLoss.Evaluate(config.PtxCoefficient, mask, [.. forward.LogProbs.Select(p => (double)p)], weights, gradient);
            autograd.backward([chosen], [head.Backward(forward, [.. gradient.Select(g => (float)g)], [])]);
        }

        return total;
    }
}
