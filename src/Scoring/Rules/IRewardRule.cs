namespace Rlhf.Scoring;

/// <summary>What a reward sees of one row.</summary>
/// <param name="Prompt">The prompt's text.</param>
/// <param name="Response">The response's text.</param>
/// <param name="ResponseTokens">Number of response tokens, or null when the data has only text.</param>
/// <param name="Metadata">JSON of the row, or null.</param>
/// <param name="Columns">Further columns that some reward asked for, as text or JSON; null when none did.</param>
public readonly record struct RuleInput(string Prompt, string Response, int? ResponseTokens, string? Metadata, IReadOnlyDictionary<string, string>? Columns = null)
{
    /// <summary>Token ids where the row is a rollout.</summary>
    public (int[] Prompt, int[] Response)? Tokens { get; init; }

    /// <summary>Where the row comes from, for messages.</summary>
    public RowPlace Place { get; init; }
}

/// <summary>A reward computed from the text alone.</summary>
public interface IRewardRule
{
    /// <summary>The column's default name.</summary>
    string Name { get; }

    /// <summary>Columns of the table that the rule reads where they exist.</summary>
    IReadOnlyList<string> Columns => [];

    /// <summary>True where the rule reads the row's metadata.</summary>
    bool ReadsMetadata => false;

    /// <summary>Files that the rule has read: what is in them is part of the rule.</summary>
    IReadOnlyList<string> Files => [];

    /// <summary>The reward, or null when the rule does not apply to the row (it is then counted and left out of the score).</summary>
    double? Score(in RuleInput row);
}
