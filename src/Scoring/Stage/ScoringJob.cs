using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Scoring;

/// <summary>What to score, and how to cut it; the options of <c>rlhf-score</c> and of the loop.</summary>
public sealed record ScoringJob
{
    /// <summary>Parquet, JSONL or CSV; a file or a pattern.</summary>
    public required string Input { get; init; }

    public required string Output { get; init; }

    public string PromptColumn { get; init; } = "prompt";

    public string ResponseColumn { get; init; } = "response";

    /// <summary>The name of the weighted sum in the output.</summary>
    public string ScoreColumn { get; init; } = new ScoreColumns().ScoreName;

    /// <summary>The name of the map of rewards in the output.</summary>
    public string RewardsColumn { get; init; } = new ScoreColumns().RewardsName;

    /// <summary>Most tokens of one batch, padding included: what fits the caches is faster than more.</summary>
    public int BatchTokens { get; init; } = 1024;

    /// <summary>Temperature of reference log-probs where the rows do not tell their own.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>Most rows of a window: rows are sorted by length inside one, and a stopped run goes on after the last finished one.</summary>
    public int WindowRows { get; init; } = ScoringStage.WindowRows;

    /// <summary>Only this part of the rows is scored and written; null: all.</summary>
    public Shard? Shard { get; init; }
}
