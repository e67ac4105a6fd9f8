namespace Rlhf.Core;

/// <summary>Which direction is the better one.</summary>
public enum Better { Higher, Lower, Neither }

/// <summary>One row of the table before/after.</summary>
/// <param name="Name">"Mean score on held-out prompts".</param>
/// <param name="Before">Null when it was not measured.</param>
/// <param name="After">Null when it was not measured.</param>
/// <param name="Better">Colours the difference.</param>
/// <param name="Unit">"tokens"; empty for shares and scores.</param>
/// <param name="Note">What it means, one phrase.</param>
/// <param name="IsHeadline">Shown large at the top of the page.</param>
public sealed record ReportOutcome(string Name, double? Before, double? After, Better Better = Better.Higher, string Unit = "", string Note = "", bool IsHeadline = false);

/// <summary>One response with what it was worth.</summary>
/// <param name="Text">The response without its prompt.</param>
/// <param name="Score">The weighted sum, or null.</param>
/// <param name="Rewards">Each named reward.</param>
/// <param name="FinishReason">"eos", "stop", "length" or null.</param>
public sealed record ReportResponse(string Text, double? Score, IReadOnlyDictionary<string, double>? Rewards = null, string? FinishReason = null);

/// <summary>One prompt answered before and after training.</summary>
public sealed record ReportSample(string Prompt, ReportResponse? Before, ReportResponse? After);

/// <summary>Everything that the report shows; plain values, so that any command can make one.</summary>
public sealed record ReportData
{
    public required string Title { get; init; }

    /// <summary>One or two sentences under the title.</summary>
    public string Summary { get; init; } = "";

    /// <summary>Short facts under the summary: "20 iterations", "6 min 12 s", "seed 17".</summary>
    public IReadOnlyList<string> Facts { get; init; } = [];

    /// <summary>The rows of <c>metrics.jsonl</c>.</summary>
    public IReadOnlyList<MetricRow> Metrics { get; init; } = [];

    public IReadOnlyList<ReportOutcome> Outcomes { get; init; } = [];
    public IReadOnlyList<ReportSample> Samples { get; init; } = [];

    /// <summary>How the samples were chosen and drawn: "The first 8 held-out prompts, temperature 1". Readers suspect cherry-picking.</summary>
    public string SamplesNote { get; init; } = "";

    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>What was made: name → path or command.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Artifacts { get; init; } = [];

    /// <summary>The resolved configuration as YAML.</summary>
    public string ConfigYaml { get; init; } = "";

    /// <summary>Versions, machine, threads, seed, hashes.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Environment { get; init; } = [];
}
