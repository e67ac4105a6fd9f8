namespace Rlhf.Trajectories.Native;

/// <summary>DuckDB's own words; never leaves this project: each caller says what it was doing, and to which file.</summary>
internal sealed class DuckDbException(string message) : Exception(message)
{
    /// <summary>True when the memory limit was met: no fault of the file.</summary>
    public bool IsOutOfMemory => Message.StartsWith("Out of Memory", StringComparison.Ordinal);

    /// <summary>The first paragraph without the class of the error, the SQL and the hints about it.</summary>
    public string Reason
    {
        get
        {
            string text = Message;
            foreach (string end in new[] { "\nLINE 1:", "\n\nLINE 1:", "\n\nSELECT", "\nTry setting", "\nPossible fixes", "\nPossible solutions", "\n\nPossible", "\n  file =", "\n\n" })
            {
                int at = text.IndexOf(end, StringComparison.Ordinal);
                if (at > 0) text = text[..at];
            }

            // "Invalid Input Error: …", "IO Error: …": DuckDB's classes say nothing to a user of the file.
            int prefix = text.IndexOf(" Error: ", StringComparison.Ordinal);
            if (prefix is > 0 and < 24) text = text[(prefix + 8)..];
            return text.ReplaceLineEndings(" ").Trim().TrimEnd('.');
        }
    }
}
