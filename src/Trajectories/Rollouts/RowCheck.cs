using Rlhf.Core;

namespace Rlhf.Trajectories;

/// <summary>What every row of the stages' files has to keep, checked when it is written and when it is read.</summary>
internal static class RowCheck
{
    /// <summary>One finite number for each token of the response.</summary>
    public static void PerToken(string where, string column, ReadOnlySpan<float> values, int tokens)
    {
        if (values.Length != tokens)
            throw new BadDataException($"{where}: {column} has {values.Length} values but the response has {tokens} tokens; expected one for each.");
        for (int i = 0; i < values.Length; i++)
        {
            if (!float.IsFinite(values[i]))
                throw new BadDataException($"{where}: {column} is {values[i]} at token {i + 1} of {tokens}; expected a finite number. The stage that wrote it went wrong.");
        }
    }

    /// <summary>As above for a column that a row may lack.</summary>
    public static void PerTokenOrNull(string where, string column, float[]? values, int tokens)
    {
        if (values is not null) PerToken(where, column, values, tokens);
    }

    public static void Tokens(string where, string column, ReadOnlySpan<int> tokens)
    {
        for (int i = 0; i < tokens.Length; i++)
        {
            if (tokens[i] < 0) throw new BadDataException($"{where}: {column} holds {tokens[i]} at place {i + 1}; token ids are 0 or more.");
        }
    }

    public static void Finite(string where, string what, double value)
    {
        if (!double.IsFinite(value)) throw new BadDataException($"{where}: {what} is {value}; expected a finite number, or none to leave the row out.");
    }
}
