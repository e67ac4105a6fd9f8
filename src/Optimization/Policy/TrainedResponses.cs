using Rlhf.Algorithms;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>Which responses are scored but not trained on: prompts that tell nothing (DAPO's dynamic sampling) responses cut by length, rows without a score.</summary>
public static class TrainedResponses
{
    /// <summary>Clears the mask and the advantages of what is left out; returns its share of the responses.</summary>
    public static double LeaveOut(TrajectoryBatch batch, MethodConfig config)
    {
        int n = batch.Sequences.Count, left = 0;
        bool[] keep = new bool[n];
        Array.Fill(keep, true);
        if (config.DynamicSampling) DynamicSampling.Keep(batch.Groups, batch.Scores, batch.Scored, keep);
        for (int i = 0; i < n; i++)
        {
            if (keep[i] && batch.Scored[i] && (batch.Finished[i] || !config.LeaveOutTruncated)) continue;
            left++;
            batch.ResponseMask.AsSpan(batch.Response(i)).Clear();
            batch.Advantages.AsSpan(batch.Response(i)).Clear();
        }

        return (double)left / n;
    }
}
