using System.Globalization;
using System.Text;
using Rlhf.Core;

namespace Rlhf.Pipeline.Bench;

/// <summary>Tables and texts of <see cref="HackingBench"/>.</summary>
internal static class HackingReport
{
    public static void Print(HackingResult r)
    {
        foreach (ConsoleTable table in Tables(r))
        {
            table.Print();
            System.Console.WriteLine();
        }

        System.Console.Write(Texts(r));
    }

    /// <summary>What stands in a document.</summary>
    public static string ToMarkdown(HackingResult r, HackingBench bench)
    {
        string set = string.Concat(bench.Set.Select(s => $" --set {s}"));
        return $"Written by `rlhf bench hacking --mend-steps {bench.MendSteps}{set}`. Seconds hang on the machine.\n\n"
            + string.Join('\n', Tables(r).Select(t => t.ToPlainText().ReplaceLineEndings("\n"))) + "\n" + Texts(r);
    }

    private static IEnumerable<ConsoleTable> Tables(HackingResult r)
    {
        string[] names = [.. r.Models.Select(m => m.Name)];
        var models = new ConsoleTable("reward model", "hacked", "pushed policy", "untrained policy", "good reviews", "bad reviews", "accuracy", "95 %", "calibration error", "s")
        {
            Title = $"Mean P(positive) of each reward model: {r.Training} hacked samples for training, {r.HeldOut} of other prompts held out.",
        };
        foreach (MendedModel m in r.Models)
        {
            models.Add(
                m.Name, N(m.Hacked), N(m.PushedPolicy), N(m.Ordinary), N(m.Positive), N(m.Negative), P(m.Accuracy.Value), $"{P(m.Accuracy.Low)} to {P(m.Accuracy.High)}", N(m.CalibrationError), N(m.Seconds, "0"));
        }

        yield return models;
        var runs = new ConsoleTable(["run", .. names.Select(n => "P by " + n), "KL", "distinct-2", "length", "log π_ref", "s"])
        {
            Title = "Runs pushed too far, on held-out prompts; KL (k3) and log π_ref in nats per token.",
        };
        foreach (PushedRun run in r.Runs)
            runs.Add([run.Name, .. names.Select(n => N(run.By[n])), N(run.KlPerToken), N(run.Distinct2), N(run.Length, "0.0"), N(run.ReferenceLogProb, "0.00"), N(run.Seconds, "0")]);
        yield return runs;
        var iterations = new ConsoleTable(["iteration", "KL", .. names]) { Title = "The pushed run: mean P(positive) of each iteration's responses by each reward model." };
        foreach (PushedIteration i in r.Iterations) iterations.Add([i.Iteration.ToString(CultureInfo.InvariantCulture), N(i.KlPerToken), .. names.Select(n => N(i.By[n]))]);
        yield return iterations;
    }

    private static string Texts(HackingResult r)
    {
        var text = new StringBuilder("Responses, not selected:\n\n");
        foreach (HackedText t in r.Samples)
        {
            text.Append(CultureInfo.InvariantCulture, $"- {t.Run} ({string.Join(", ", t.By.Select(b => $"{b.Key} {N(b.Value, "0.00")}"))}): ");
            text.Append('`').Append((t.Prompt + t.Response).ReplaceLineEndings(" ").Replace('`', '\'')).Append("`\n");
        }

        return text.ToString();
    }

    private static string N(double x, string format = "0.000") => x.ToString(format, CultureInfo.InvariantCulture);

    private static string P(double share) => (100 * share).ToString("0.0", CultureInfo.InvariantCulture) + " %";
}
