using System.Globalization;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>What an error about NaN or Inf says: where in the run, which tensor, which rows.</summary>
public static class NumericalGuard
{
    /// <summary>The loss of a micro-batch is not finite: no step was taken.</summary>
    /// <param name="loss">What it is.</param>
    /// <param name="where">For example "iteration 3, optimiser step 17".</param>
    /// <param name="rows">Rows of the scored file, in the order of the columns.</param>
    /// <param name="offsets">[rows + 1] of the columns.</param>
    /// <param name="columns">Name → [tokens] what went into the loss.</param>
    /// <param name="tensor">The first bad weight or gradient as a sentence, or empty.</param>
    public static NumericalException Loss(double loss, string where, ReadOnlySpan<int> rows, ReadOnlySpan<int> offsets, IEnumerable<(string Name, double[] Values)> columns, string tensor)
    {
        foreach ((string name, double[] values) in columns)
        {
            List<int> bad = [];
            for (int i = 0; i < rows.Length; i++)
            {
                if (!values.AsSpan(offsets[i], offsets[i + 1] - offsets[i]).AllFinite()) bad.Add(rows[i]);
            }

            if (bad.Count > 0) return Stop(loss, where, $" NaN or Inf is in the {name} of {Rows([.. bad])}.", tensor);
        }

        return Stop(loss, where, $" It was computed from {Rows(rows)}.", tensor);
    }

    /// <summary>"row 3", "rows 1, 5 and 9", "rows 0, 1, 2, 3, 4, 5, 6, 7 and 24 more"; rows of the scored file, from 0.</summary>
    public static string Rows(ReadOnlySpan<int> rows)
    {
        const int Shown = 8;
        string[] first = [.. rows[..Math.Min(Shown, rows.Length)].ToArray().Select(r => r.ToString(CultureInfo.InvariantCulture))];
        if (rows.Length == 1) return $"row {first[0]}";
        return rows.Length > Shown ? $"rows {string.Join(", ", first)} and {rows.Length - Shown} more" : $"rows {string.Join(", ", first[..^1])} and {first[^1]}";
    }

    /// <summary>"row 3", "rows 1, 5 and 9": rows of a data file, from 0.</summary>
    public static string Rows(IEnumerable<long> rows) => Rows([.. rows.Select(r => (int)r)]);

    private static NumericalException Stop(double loss, string where, string rows, string tensor) => new(
        $"The loss is {loss} in {where}; no step was taken.{rows}{tensor} Go on from the last checkpoint with a lower optimizer.learning_rate (or set recovery.steps_back), or look for the cause in those rows.");

    internal static bool AllFinite(this ReadOnlySpan<double> values)
    {
        foreach (double value in values)
        {
            if (!double.IsFinite(value)) return false;
        }

        return true;
    }
}
