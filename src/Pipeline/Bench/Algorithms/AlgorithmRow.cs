using System.Globalization;
using Rlhf.Algorithms;

namespace Rlhf.Pipeline.Bench;

/// <summary>One method on one task: a number before and after, over seeds.</summary>
/// <param name="Task">"walks", …</param>
/// <param name="Method">Name as in the configuration.</param>
/// <param name="Kind">"online", "offline" or "preference".</param>
/// <param name="Before">[seeds] of the policy that it starts from (offline: of the data's behaviour policy).</param>
/// <param name="After">[seeds] of the policy that it ends with.</param>
/// <param name="Seconds">[seeds] wall-clock of the method alone, start policy and evaluation not counted.</param>
/// <param name="Samples">Responses used for training, a seed.</param>
/// <param name="Required">What the task asks for, in words; empty: nothing.</param>
/// <param name="Met">Whether every seed's mean meets it; null where nothing is asked.</param>
public sealed record AlgorithmRow(
    string Task, string Method, string Kind, IReadOnlyList<double> Before, IReadOnlyList<double> After, IReadOnlyList<double> Seconds, int Samples, string Required, bool? Met)
{
    /// <summary>"0.931 ± 0.012": mean and sample standard deviation.</summary>
    public static string Spread(IReadOnlyList<double> values)
    {
        Moments m = Moments.Of([.. values]);
        return values.Count == 1 ? m.Mean.ToString("F3", CultureInfo.InvariantCulture) : string.Create(CultureInfo.InvariantCulture, $"{m.Mean:F3} ± {Math.Sqrt(m.SampleVariance):F3}");
    }
}
