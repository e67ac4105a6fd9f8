namespace Rlhf.Algorithms;

/// <summary>Truncation of a response at its first stop token, which is kept: it is an action of the policy.</summary>
public static class StopTokens
{
    /// <summary>Tokens up to and including the first stop token; all of them without one.</summary>
    public static ReadOnlySpan<int> Truncate(ReadOnlySpan<int> tokens, ReadOnlySpan<int> stopTokens)
    {
        int stop = tokens.IndexOfAny(stopTokens);
        return stop < 0 ? tokens : tokens[..(stop + 1)];
    }
}
