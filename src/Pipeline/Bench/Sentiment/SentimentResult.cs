using System.Text.Json;
using Rlhf.Core;

namespace Rlhf.Pipeline.Bench;

/// <summary>What one method's run with one seed came to, on held-out prompts.</summary>
public sealed record SentimentResult
{
    /// <summary>Name of its file under configs/methods.</summary>
    public required string Config { get; init; }

    public required ulong Seed { get; init; }

    /// <summary>Empty, or why the run ended with a numerical failure: it diverged.</summary>
    public string Diverged { get; init; } = "";

    /// <summary>Mean P(positive) of the policy at the start.</summary>
    public double PositiveBefore { get; init; }

    /// <summary>Mean P(positive) after.</summary>
    public double Positive { get; init; }

    /// <summary>k3 to the reference, nats per token, after.</summary>
    public double KlPerToken { get; init; }

    public double Distinct2 { get; init; }

    public double Length { get; init; }

    /// <summary>Response tokens drawn for training, greedy baselines included.</summary>
    public double TokensDrawn { get; init; }

    /// <summary>Optimiser steps.</summary>
    public double Updates { get; init; }

    /// <summary>Mean over iterations of the share of tokens at which the loss clipped.</summary>
    public double ClipFraction { get; init; }

    /// <summary>Largest π/π_old of the run.</summary>
    public double RatioMax { get; init; }

    /// <summary>Mean over iterations of the ratio histogram: lower bound of the bin → share.</summary>
    public IReadOnlyDictionary<string, double> RatioShares { get; init; } = new Dictionary<string, double>();

    /// <summary>Wall-clock of the iterations.</summary>
    public double Seconds { get; init; }

    /// <summary>Reads the end of a run.</summary>
    public static SentimentResult Of(string config, RunConfig run, RunOutcome outcome, string metricsFile)
    {
        IReadOnlyList<MetricRow> rows = MetricsFile.Read(metricsFile);
        double Mean(string name) => rows.Average(r => r.Values.GetValueOrDefault(name));
        const string Bin = "policy/ratio_share/";
        return new SentimentResult
        {
            Config = config, Seed = run.Seed, PositiveBefore = PositiveOf(outcome.Before), Positive = PositiveOf(outcome.After), KlPerToken = outcome.After!.KlPerToken,
            Distinct2 = outcome.After.Distinct2, Length = outcome.After.Length, TokensDrawn = rows[^1].Values["tokens/total"], Updates = rows.Sum(r => r.Values["policy/updates"]),
            ClipFraction = Mean("policy/clip_fraction"), RatioMax = rows.Max(r => r.Values["policy/ratio_max"]), Seconds = rows.Sum(r => r.Values["time/iteration_seconds"]),
            RatioShares = rows.SelectMany(r => r.Values.Keys).Where(k => k.StartsWith(Bin, StringComparison.Ordinal)).Distinct(StringComparer.Ordinal)
                .Order(StringComparer.Ordinal).ToDictionary(k => k[Bin.Length..], Mean, StringComparer.Ordinal),
        };
    }

    private static double PositiveOf(Evaluation? evaluation) => evaluation!.Rows.Average(r => r.Scores.Rewards["positive"]);

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    public void Save(string path) => WholeFile.WriteAllText(path, JsonSerializer.Serialize(this, Indented) + "\n");

    public static SentimentResult Load(string path) => JsonSerializer.Deserialize<SentimentResult>(File.ReadAllText(path))!;
}
