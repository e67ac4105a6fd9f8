using Rlhf.Core;
using Rlhf.Models;
using Rlhf.Trajectories;

namespace Rlhf.Optimization;

/// <summary>Between Parquet rows and the trainer's flat columns.</summary>
public static class TrajectoryRows
{
    /// <summary>A row without a score stays in the batch for audit and is not trained on.</summary>
    /// <exception cref="BadDataException">No row has a score, a row lacks its reference log-probs, has no response, or does not fit the model.</exception>
    public static TrajectoryBatch ToBatch(IReadOnlyList<ScoredRollout> rows, LlamaConfig model)
    {
        if (rows.Count == 0) throw new BadDataException("There is no scored response to train on.");
        if (rows.All(r => r.Scores.Score is null)) throw new BadDataException($"All {rows.Count} rows have no score. Run rlhf-score with a reward model or a rule first.");
        var batch = new TrajectoryBatch([.. rows.Select(r => SampledSequence.Of(r.Rollout, model))]);
        var prompts = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int i = 0; i < rows.Count; i++)
        {
            ScoredRollout row = rows[i];
            batch.Finished[i] = row.Rollout.FinishReason != FinishReason.Length;
            prompts.TryAdd(row.Rollout.PromptId, prompts.Count);
            batch.Groups[i] = prompts[row.Rollout.PromptId];
            string where = $"row {i} (prompt '{row.Rollout.PromptId}', sample {row.Rollout.SampleId})";
            batch.Scores[i] = row.Scores.Score ?? 0;
            batch.Scored[i] = row.Scores.Score is not null;
            if (!batch.Scored[i]) batch.ResponseMask.AsSpan(batch.Response(i)).Clear();
            if (!double.IsFinite(batch.Scores[i])) throw new BadDataException($"{where}: its score is {batch.Scores[i]}; it must be finite.");
            float[] reference = row.Scores.ReferenceLogprobs ?? throw new BadDataException($"{where} has no reference_logprobs. Run rlhf-score with --reference DIR.");
            Copy(reference, batch.ReferenceLogProbs, batch.Offsets[i], batch.Sequences[i].ResponseLength, "reference_logprobs", where);
            Copy(row.Rollout.PolicyLogprobs, batch.RolloutLogProbs, batch.Offsets[i], batch.Sequences[i].ResponseLength, "policy_logprobs", where);
            Copy(row.Rollout.RolloutLogprobs, batch.SamplerLogProbs, batch.Offsets[i], batch.Sequences[i].ResponseLength, "rollout_logprobs", where);
            if (row.Scores.TokenRewards is { } dense) Copy(dense, batch.TokenRewards, batch.Offsets[i], batch.Sequences[i].ResponseLength, "token_rewards", where);
        }

        return batch;
    }

    /// <summary>What the trainer computed for response i, for audit.</summary>
    public static TokenTargets ToTargets(TrajectoryBatch batch, int i, bool hasCritic = true) => new()
    {
        OldLogprobs = Floats(batch.OldLogProbs, batch.Response(i)),
        Values = hasCritic ? Floats(batch.OldValues, batch.Response(i)) : null,
        Advantages = Floats(batch.Advantages, batch.Response(i)),
        Returns = hasCritic ? Floats(batch.Returns, batch.Response(i)) : null,
    };

    private static void Copy(float[] from, double[] to, int offset, int length, string column, string where)
    {
        if (from.Length != length) throw new BadDataException($"{where}: {column} has {from.Length} numbers; the response has {length} tokens.");
        for (int t = 0; t < length; t++) to[offset + t] = from[t];
    }

    private static float[] Floats(double[] column, Range range) => [.. column[range].Select(x => (float)x)];
}
