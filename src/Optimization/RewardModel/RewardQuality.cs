using Rlhf.Algorithms;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>How good held-out scores are.</summary>
/// <param name="HeadlineName">The metric's name in the catalogue.</param>
/// <param name="Headline">Accuracy of labels or comparisons, or R² of scores.</param>
/// <param name="Loss">Mean objective.</param>
/// <param name="CalibrationError">Expected calibration error of σ(r) in 15 equal bins (Guo et al. 2017); NaN where there is no probability.</param>
public sealed record RewardQuality(string HeadlineName, double Headline, double Loss, double CalibrationError)
{
    private const int Bins = 15;

    /// <param name="config">The objective.</param>
    /// <param name="examples">Held-out examples.</param>
    /// <param name="scores">[examples][texts].</param>
    public static RewardQuality Of(RewardModelConfig config, IReadOnlyList<RewardExample> examples, double[][] scores)
    {
        if (examples.Count == 0) return new RewardQuality("eval/accuracy", double.NaN, double.NaN, double.NaN);
        double[] flat = [.. scores.SelectMany(s => s)], labels = [.. examples.SelectMany(e => e.StepLabels ?? [e.Label])];
        int[] offsets = RaggedOffsets.FromLengths([.. scores.Select(s => s.Length)]);
        double loss = RewardObjectives.Evaluate(config, flat, offsets, labels, 1.0 / labels.Length, new double[flat.Length]);
        switch (config.Objective)
        {
            case RewardObjective.Regression or RewardObjective.Huber:
                double mean = labels.Average(), error = flat.Zip(labels, (r, y) => (r - y) * (r - y)).Sum(), total = labels.Sum(y => (y - mean) * (y - mean));
                return new RewardQuality("eval/r2", total > 0 ? 1 - (error / total) : double.NaN, loss, double.NaN);
            case RewardObjective.Binary or RewardObjective.Discriminator or RewardObjective.Process:
                double[] p = [.. flat.Select(r => Logistic.Sigmoid(r))];
                double right = flat.Zip(labels, (r, y) => r > 0 == y > 0.5 ? 1.0 : 0).Average();
                return new RewardQuality("eval/accuracy", right, loss, ExpectedCalibrationError(p, labels));
            default:
                // The first text is the preferred one; a tie counts half.
                double first = scores.Average(s => s.Skip(1).All(r => r < s[0]) ? 1.0 : s.Skip(1).Any(r => r > s[0]) ? 0 : 0.5);
                return new RewardQuality("eval/accuracy", first, loss, double.NaN);
        }
    }

    /// <summary>Σ over bins of share · |accuracy − confidence|, on P(label = 1).</summary>
    public static double ExpectedCalibrationError(ReadOnlySpan<double> probabilities, ReadOnlySpan<double> labels)
    {
        double[] sum = new double[Bins], hits = new double[Bins];
        for (int i = 0; i < probabilities.Length; i++)
        {
            int bin = Math.Min(Bins - 1, (int)(probabilities[i] * Bins));
            sum[bin] += probabilities[i];
            hits[bin] += labels[i];
        }

        double error = 0;
        for (int b = 0; b < Bins; b++) error += Math.Abs(hits[b] - sum[b]);
        return error / probabilities.Length;
    }
}
