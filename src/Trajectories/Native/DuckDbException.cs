namespace Rlhf.Trajectories.Native;

/// <summary>DuckDB's own words; never leaves this project: each caller says what it was doing, and to which file.</summary>
internal sealed class DuckDbException(string message) : Exception(message)
{
    /// <summary>The first paragraph without DuckDB's "Invalid Input Error: " prefix and its option list.</summary>
    public string Reason
    {
        get
        {
            string text = Message;
            foreach (string end in new[] { "\nLINE 1:", "\n\nLINE 1:", "\n\nSELECT", "\nPossible fixes", "\nPossible solutions", "\n\nPossible", "\n  file =", "\n\n" })
            {
                int at = text.IndexOf(end, StringComparison.Ordinal);
                if (at > 0) text = text[..at];
            }

            return text.ReplaceLineEndings(" ").Trim().TrimEnd('.');
        }
    }
}
