namespace Rlhf.Scoring;

/// <summary>What a rule sees of one row.</summary>
/// <param name="Prompt">The prompt's text.</param>
/// <param name="Response">The response's text.</param>
/// <param name="ResponseTokens">Number of response tokens, or null when the data has only text.</param>
/// <param name="Metadata">JSON of the row, or null.</param>
public readonly record struct RuleInput(string Prompt, string Response, int? ResponseTokens, string? Metadata);

/// <summary>A reward computed from the text alone.</summary>
public interface IRewardRule
{
    /// <summary>The column's default name.</summary>
    string Name { get; }

    /// <summary>The reward, or null when the rule does not apply to the row (it is then counted and left out of the score).</summary>
    double? Score(in RuleInput row);
}
