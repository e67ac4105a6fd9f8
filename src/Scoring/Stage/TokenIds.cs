using Rlhf.Core;

namespace Rlhf.Scoring;

/// <summary>
/// Token ids that a table brings along. Graphs count negative ones from the end of the vocabulary and give a number for them too, so each is looked at
/// before a model reads it.
/// </summary>
internal static class TokenIds
{
    /// <param name="row">Whose they are.</param>
    /// <param name="ids">Of prompt and response.</param>
    /// <param name="vocabulary">Ids of the model that reads them; none: only negative ones are refused.</param>
    /// <param name="model">Which model, for the message.</param>
    /// <exception cref="BadDataException">One is negative, or the model has no row for it.</exception>
    public static void Check(RowPlace row, (int[] Prompt, int[] Response) ids, int vocabulary = int.MaxValue, string model = "")
    {
        Check(row, "prompt_tokens", ids.Prompt, vocabulary, model);
        Check(row, "response_tokens", ids.Response, vocabulary, model);
    }

    private static void Check(RowPlace row, string column, ReadOnlySpan<int> ids, int vocabulary, string model)
    {
        int at = ids.IndexOfAnyExceptInRange(0, vocabulary - 1);
        if (at < 0) return;
        string found = $"{row}: column '{column}' holds {ids[at]} at place {at + 1} of {ids.Length};";
        throw new BadDataException(ids[at] < 0
            ? $"{found} token ids are 0 or more. Lists are as long as their texts: write the table without padding."
            : $"{found} {model} knows the ids 0 to {vocabulary - 1}. The row was tokenised for another model: give that one, or leave out the token columns, so that the texts are encoded.");
    }
}
