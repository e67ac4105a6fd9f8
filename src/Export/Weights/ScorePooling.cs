namespace Rlhf.Export;

/// <summary>What a reward model's score is taken from, after the final norm.</summary>
public enum ScorePooling
{
    /// <summary>The hidden state of the last real token.</summary>
    Last,

    /// <summary>The mean of the hidden states of all real tokens.</summary>
    Mean,
}
