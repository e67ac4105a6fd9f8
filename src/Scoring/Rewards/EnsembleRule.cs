using System.Globalization;
using Rlhf.Core;

namespace Rlhf.Scoring;

/// <summary>
/// How several reward models become one reward: the mean, the minimum (worst case), or the mean less λ times the standard deviation between
/// the models, which takes away what they disagree about (Coste et al. 2023, "Reward Model Ensembles Help Mitigate Overoptimization",
/// who use the variance; the deviation has the reward's unit).
/// </summary>
public sealed record EnsembleRule(string Kind, double Penalty = 0)
{
    /// <summary><c>mean</c>, <c>min</c> or <c>mean-std*λ</c>.</summary>
    /// <exception cref="ConfigurationException">Something else.</exception>
    public static EnsembleRule Parse(string text)
    {
        if (text is "mean" or "min") return new EnsembleRule(text);
        const string prefix = "mean-std*";
        if (text.StartsWith(prefix, StringComparison.Ordinal)
            && double.TryParse(text[prefix.Length..], NumberStyles.Float, CultureInfo.InvariantCulture, out double penalty) && penalty >= 0 && double.IsFinite(penalty))
        {
            return new EnsembleRule("mean-std", penalty);
        }

        throw new ConfigurationException($"'{text}' is no way to join reward models; it must be mean, min or mean-std*λ with λ ≥ 0, as in mean-std*0.5.");
    }

    /// <summary>Joins the models' scores of one row; the deviation is that of the population (divided by the number of models).</summary>
    public double Join(ReadOnlySpan<double> scores)
    {
        double sum = 0, squares = 0, least = double.PositiveInfinity;
        foreach (double s in scores)
        {
            sum += s;
            least = Math.Min(least, s);
        }

        if (Kind == "min") return least;
        double mean = sum / scores.Length;
        if (Penalty == 0) return mean;
        foreach (double s in scores) squares += (s - mean) * (s - mean);
        return mean - (Penalty * Math.Sqrt(squares / scores.Length));
    }
}
