using Rlhf.Algorithms;
using Rlhf.Core;
using Rlhf.Models;
using Rlhf.Trajectories;

namespace Rlhf.Optimization;

/// <summary>The samples that rejection sampling keeps, as sequences to train on.</summary>
public sealed record RftData(IReadOnlyList<TrainingSequence> Training, IReadOnlyList<TrainingSequence> HeldOut, double KeptScore, double AllScore)
{
    /// <param name="samples">Scored samples.</param>
    /// <param name="config">What is kept and what is held out.</param>
    /// <param name="model">Whose tokens they must be.</param>
    /// <exception cref="BadDataException">Nothing is kept, or a row does not fit the model.</exception>
    public static RftData Of(ScoredGroups samples, RftConfig config, LlamaConfig model)
    {
        bool[] keep = new bool[samples.Rows.Count];
        if (config.Selection == SampleSelection.BestOfN) RejectionSampling.BestOfN(samples.Groups, samples.Scores, samples.Valid, keep);
        else RejectionSampling.AboveQuantile(samples.Groups, samples.Scores, samples.Valid, config.Quantile, keep);
        List<TrainingSequence> training = [], heldOut = [];
        HashSet<string> seen = new(StringComparer.Ordinal);
        double sum = 0;
        int kept = 0;
        for (int i = 0; i < keep.Length; i++)
        {
            if (!keep[i] || samples.Scores[i] < config.MinScore) continue;
            Rollout row = samples.Rows[i].Rollout;
            string prompt = string.Join(' ', row.PromptTokens);
            if (config.Unique && !seen.Add($"{prompt} | {string.Join(' ', row.ResponseTokens)}")) continue;
            bool held = AddressedRandom.Uniform(config.Seed ^ AddressedRandom.Key(prompt), AddressedRandom.Stream.Data, 0x401D) < config.HeldOutFraction;
            (held ? heldOut : training).Add(SampledSequence.Of(row, model) with { Row = i });
            sum += samples.Scores[i];
            kept++;
        }

        if (training.Count == 0) throw new BadDataException($"Of {samples.Rows.Count:N0} samples none is left to train on (kept {kept:N0}, all held out or below min_score). Lower min_score, quantile or held_out_fraction.");
        double[] all = [.. samples.Scores.Where((_, i) => samples.Valid[i])];
        return new RftData(training, heldOut, sum / kept, all.Average());
    }
}
