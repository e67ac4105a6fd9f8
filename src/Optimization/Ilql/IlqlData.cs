using Rlhf.Algorithms;
using Rlhf.Core;
using Rlhf.Models;
using Rlhf.Trajectories;

namespace Rlhf.Optimization;

/// <summary>Scored responses as ILQL reads them.</summary>
public sealed record IlqlData(IReadOnlyList<IlqlExample> Training, IReadOnlyList<IlqlExample> HeldOut)
{
    /// <exception cref="BadDataException">Nothing is left to train on, or a row does not fit the model.</exception>
    public static IlqlData Of(ScoredGroups samples, IlqlConfig config, LlamaConfig model)
    {
        double[] scores = [.. samples.Scores.Where((_, i) => samples.Valid[i])];
        if (config.NormalizeScores) ScoreShaping.NormalizeByBatch(scores);
        List<IlqlExample> training = [], heldOut = [];
        int next = 0;
        for (int i = 0; i < samples.Rows.Count; i++)
        {
            if (!samples.Valid[i]) continue;
            ScoredRollout row = samples.Rows[i];
            TrainingSequence sequence = SampledSequence.Of(row.Rollout, model);
            double[] rewards = new double[sequence.ResponseLength];
            if (row.Scores.TokenRewards is { } dense)
            {
                if (dense.Length != rewards.Length) throw new BadDataException($"prompt '{row.Rollout.PromptId}', sample {row.Rollout.SampleId}: {dense.Length} token rewards for {rewards.Length} tokens.");
                for (int t = 0; t < rewards.Length; t++) rewards[t] = dense[t];
            }

            rewards[^1] += scores[next++];
            string prompt = string.Join(' ', row.Rollout.PromptTokens);
            bool held = AddressedRandom.Uniform(config.Seed ^ AddressedRandom.Key(prompt), AddressedRandom.Stream.Data, 0x401D) < config.HeldOutFraction;
            (held ? heldOut : training).Add(new IlqlExample(sequence with { Row = i }, rewards));
        }

        if (training.Count == 0) throw new BadDataException($"Of {samples.Rows.Count:N0} samples none is left to train on. Lower held_out_fraction.");
        return new IlqlData(training, heldOut);
    }
}
