using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Optimization;

/// <summary>
/// Which column is which. A configured name that the file has is taken; where the file lacks a default name, one of the names that
/// people use for the same thing is, and that is told.
/// </summary>
public static class RewardColumns
{
    private static readonly string[] Texts = ["text", "completion", "response", "review", "answer", "output", "sentence", "content", "messages", "conversation"];
    private static readonly string[] Labels = ["label", "labels", "sentiment", "thumbs_up", "thumb", "thumbs", "liked", "is_good", "good", "feedback"];
    private static readonly string[] Scores = ["score", "scores", "rating", "reward", "stars", "label"];
    private static readonly string[] Chosen = ["chosen", "preferred", "winner", "better", "chosen_response", "response_chosen", "accepted", "pos"];
    private static readonly string[] Rejected = ["rejected", "dispreferred", "loser", "worse", "rejected_response", "response_rejected", "declined", "neg"];
    private static readonly string[] Rankings = ["ranking", "ranked", "ranked_responses", "answers", "responses", "completions"];
    private static readonly RewardModelConfig Defaults = new();

    /// <summary>The configuration with the names that the file has.</summary>
    /// <param name="config">As given.</param>
    /// <param name="reader">The opened files.</param>
    /// <param name="tell">Called with a sentence for each name that was not the configured one.</param>
    /// <exception cref="BadDataException">A configured column is missing.</exception>
    public static RewardModelConfig Resolve(RewardModelConfig config, DataReader reader, Action<string> tell)
    {
        string Find(string configured, string usual, string key, string[] names)
        {
            if (configured != usual || reader.Find(configured) >= 0) return configured;
            if (names.FirstOrDefault(n => reader.Find(n) >= 0) is not { } found) return configured; // Require tells what is there
            tell($"{reader.Name}: no column '{usual}'; reading '{found}' ({key})");
            return found;
        }

        config = config.Objective switch
        {
            RewardObjective.Pairwise => config with
            {
                ChosenColumn = Find(config.ChosenColumn, Defaults.ChosenColumn, "chosen_column", Chosen),
                RejectedColumn = Find(config.RejectedColumn, Defaults.RejectedColumn, "rejected_column", Rejected),
            },
            RewardObjective.KWise or RewardObjective.PlackettLuce => config with { RankingColumn = Find(config.RankingColumn, Defaults.RankingColumn, "ranking_column", Rankings) },
            RewardObjective.Process => config,
            RewardObjective.Discriminator => config with { TextColumn = Find(config.TextColumn, Defaults.TextColumn, "text_column", Texts) },
            RewardObjective.Binary => config with
            {
                TextColumn = Find(config.TextColumn, Defaults.TextColumn, "text_column", Texts),
                LabelColumn = Find(config.LabelColumn, Defaults.LabelColumn, "label_column", Labels),
            },
            _ => config with
            {
                TextColumn = Find(config.TextColumn, Defaults.TextColumn, "text_column", Texts),
                LabelColumn = Find(config.LabelColumn, Defaults.LabelColumn, "label_column", Scores),
            },
        };
        if (config.PromptColumn.Length == 0 && reader.Find("prompt") >= 0) tell($"{reader.Name}: the column 'prompt' is not read; prompt_column: prompt would put it before the texts");
        return config;
    }
}
