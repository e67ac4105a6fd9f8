using System.Globalization;
using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Pipeline;

/// <summary>What a run achieved on held-out prompts, for the console and the report.</summary>
public sealed class RunOutcome(RunConfig config, RunDirectory run, Evaluation? before, Evaluation? after, IReadOnlyList<string> warnings)
{
    private string Method { get; } = config.Method.Title;

    public Evaluation? Before { get; } = before;

    public Evaluation? After { get; } = after;

    public void WriteReport() => RunReport.Write(run, new ReportData
    {
        Title = Path.GetFileName(run.Root),
        Summary = Before is null || After is null
            ? $"{config.Iterations} iterations of {Method}."
            : string.Create(CultureInfo.InvariantCulture, $"{config.Iterations} iterations of {Method} took the mean score on held-out prompts from {Before.Score:0.000} to {After.Score:0.000} at a KL of {After.KlPerToken:0.000} nats per token to the reference."),
        Facts = [$"{config.Iterations} iterations", $"{config.Generation.PromptsPerIteration * config.Generation.SamplesPerPrompt} responses each", $"seed {config.Seed}"],
        Outcomes = Outcomes(),
        Samples = Samples(),
        SamplesNote = "The first held-out prompts, one sample each, drawn at the same random addresses before and after; not selected.",
        Warnings = [.. warnings],
        Artifacts = [new("tuned policy (ONNX)", "policy"), new("tuned policy (Hugging Face)", "weights"), new("metrics", "metrics.jsonl"), .. After is null ? Array.Empty<KeyValuePair<string, string>>() : [new("held-out samples", "evaluation/after/scored.parquet")]],
    });

    /// <summary>Before and after on the console.</summary>
    public void Print()
    {
        if (Before is not null && After is not null)
        {
            var table = new ConsoleTable("held-out prompts", "before", "after") { Title = $"{After.Rows.Count:N0} fresh samples each" };
            foreach (ReportOutcome o in Outcomes()) table.Add(o.Name, Number(o.Before), Number(o.After));
            table.Print();
            System.Console.WriteLine();
            foreach (ReportSample sample in Samples().Take(5))
            {
                System.Console.WriteLine($"prompt  {sample.Prompt}");
                System.Console.WriteLine($"  before [{Number(sample.Before?.Score)}] {OneLine(sample.Before?.Text)}");
                System.Console.WriteLine($"  after  [{Number(sample.After?.Score)}] {OneLine(sample.After?.Text)}");
            }

            System.Console.WriteLine();
        }

        System.Console.WriteLine($"report:        {run.ReportPath}");
        System.Console.WriteLine($"tuned policy:  {run.FinalPolicyFolder} (ONNX Runtime and GenAI), {run.FinalWeightsFolder} (Hugging Face)");
    }

    private List<ReportOutcome> Outcomes()
    {
        if (Before is not { } b || After is not { } a) return [];
        var outcomes = new List<ReportOutcome>
        {
            new("mean score", b.Score, a.Score, Better.Higher, Note: string.Create(CultureInfo.InvariantCulture, $"standard error {b.ScoreError:0.000} and {a.ScoreError:0.000}"), IsHeadline: true),
        };
        foreach (string name in a.Rows.SelectMany(r => r.Scores.Rewards.Keys).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            outcomes.Add(new ReportOutcome($"mean {name}", Mean(b.Rows, name), Mean(a.Rows, name)));
        }

        outcomes.Add(new ReportOutcome("KL to the reference", b.KlPerToken, a.KlPerToken, Better.Lower, "nats per token"));
        outcomes.Add(new ReportOutcome("distinct-2", b.Distinct2, a.Distinct2, Better.Higher, Note: "different bigrams / all bigrams"));
        outcomes.Add(new ReportOutcome("response length", b.Length, a.Length, Better.Neither, "tokens"));
        return outcomes;
    }

    private static double? Mean(IEnumerable<ScoredRollout> rows, string name)
    {
        double[] values = [.. rows.Where(r => r.Scores.Rewards.ContainsKey(name)).Select(r => r.Scores.Rewards[name])];
        return values.Length == 0 ? null : values.Average();
    }

    private List<ReportSample> Samples()
    {
        if (Before is null || After is null) return [];
        var after = After.Rows.ToDictionary(r => (r.Rollout.PromptId, r.Rollout.SampleId));
        return
        [
            .. Before.Rows.Where(r => r.Rollout.SampleId == 0).Take(config.Evaluation.ReportSamples)
                .Select(r => new ReportSample(r.Rollout.Prompt, Response(r), Response(after.GetValueOrDefault((r.Rollout.PromptId, r.Rollout.SampleId))))),
        ];
    }

    private static ReportResponse? Response(ScoredRollout? row) => row is null
        ? null
        : new ReportResponse(row.Rollout.Response, row.Scores.Score, row.Scores.Rewards, row.Rollout.FinishReason.ToString().ToLowerInvariant());

    private static string Number(double? value) => value is { } v ? v.ToString("0.000", CultureInfo.InvariantCulture) : "–";

    private static string OneLine(string? text) => (text ?? "").ReplaceLineEndings(" ").Trim();
}
