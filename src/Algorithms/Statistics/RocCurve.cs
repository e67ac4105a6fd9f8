namespace Rlhf.Algorithms;

/// <summary>How well scores separate two classes, wherever the line between them is drawn.</summary>
public static class RocCurve
{
    /// <summary>
    /// Area under the ROC curve (Hanley and McNeil 1982): the chance that a positive has a higher score than a negative, ties ½ (the Mann–Whitney
    /// statistic). ½ is chance; NaN where a class is missing.
    /// </summary>
    /// <param name="scores">Higher: rather positive.</param>
    /// <param name="labels">Above ½: positive.</param>
    public static double Area(ReadOnlySpan<double> scores, ReadOnlySpan<double> labels)
    {
        Require.Length(labels.Length, scores.Length, nameof(labels));
        double[] ranks = Correlation.Ranks(scores);
        double sum = 0, positives = 0;
        for (int i = 0; i < ranks.Length; i++)
        {
            if (labels[i] > 0.5) (sum, positives) = (sum + ranks[i], positives + 1);
        }

        double negatives = ranks.Length - positives;
        return positives == 0 || negatives == 0 ? double.NaN : (sum - (positives * (positives + 1) / 2)) / (positives * negatives);
    }
}
