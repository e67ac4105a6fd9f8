using Rlhf.Core;
using Rlhf.Models;
using Rlhf.Trajectories;

namespace Rlhf.Optimization;

/// <summary>Between Parquet rows and the trainer's flat columns.</summary>
public static class TrajectoryRows
{
    /// <exception cref="BadDataException">A row lacks its score or reference log-probs, has no response, or does not fit the model.</exception>
    public static TrajectoryBatch ToBatch(IReadOnlyList<ScoredRollout> rows, LlamaConfig model)
    {
        if (rows.Count == 0) throw new BadDataException("There is no scored response to train on.");
        var batch = new TrajectoryBatch([.. rows.Select(r => SampledSequence.Of(r.Rollout, model))]);
        var prompts = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int i = 0; i < rows.Count; i++)
        {
            ScoredRollout row = rows[i];
            batch.Finished[i] = row.Rollout.FinishReason != FinishReason.Length;
            prompts.TryAdd(row.Rollout.PromptId, prompts.Count);
            batch.Groups[i] = prompts[row.Rollout.PromptId];
            string where = $"row {i} (prompt '{row.Rollout.PromptId}', sample {row.Rollout.SampleId})";
            batch.Scores[i] = row.Scores.Score ?? throw new BadDataException($"{where} has no score. Run rlhf-score with a reward model or a rule first.");
            if (!double.IsFinite(batch.Scores[i])) throw new BadDataException($"{where}: its score is {batch.Scores[i]}; it must be finite.");
            float[] reference = row.Scores.ReferenceLogprobs ?? throw new BadDataException($"{where} has no reference_logprobs. Run rlhf-score with --reference DIR.");
            Copy(reference, batch.ReferenceLogProbs, batch.Offsets[i], batch.Sequences[i].ResponseLength, "reference_logprobs", where);
            Copy(row.Rollout.PolicyLogprobs, batch.RolloutLogProbs, batch.Offsets[i], batch.Sequences[i].ResponseLength, "policy_logprobs", where);
        }

        return batch;
    }

    /// <summary>What the trainer computed for response i, for audit.</summary>
    public static TokenTargets ToTargets(TrajectoryBatch batch, int i) => new()
    {
        OldLogprobs = Floats(batch.OldLogProbs, batch.Response(i)),
        Values = Floats(batch.OldValues, batch.Response(i)),
        Advantages = Floats(batch.Advantages, batch.Response(i)),
        Returns = Floats(batch.Returns, batch.Response(i)),
    };

    private static void Copy(float[] from, double[] to, int offset, int length, string column, string where)
    {
        if (from.Length != length) throw new BadDataException($"{where}: {column} has {from.Length} numbers; the response has {length} tokens.");
        for (int t = 0; t < length; t++) to[offset + t] = from[t];
    }

    private static float[] Floats(double[] column, Range range) => [.. column[range].Select(x => (float)x)];
}
