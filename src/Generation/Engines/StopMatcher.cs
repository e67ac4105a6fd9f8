using System.Text;

namespace Rlhf.Generation;

/// <summary>
/// Finds stop strings in a growing text, wherever token borders fall: keeps the end of the text that can still be the beginning of a match.
/// </summary>
internal sealed class StopMatcher(IReadOnlyList<string> stops)
{
    private readonly int _longest = stops.Max(stop => stop.Length);
    private readonly StringBuilder _tail = new();

    /// <summary>True when the text, with this piece at its end, holds a stop string.</summary>
    public bool Append(string piece)
    {
        if (piece.Length == 0) return false;
        _tail.Append(piece);
        string text = _tail.ToString();
        foreach (string stop in stops)
        {
            if (text.Contains(stop, StringComparison.Ordinal)) return true;
        }

        if (text.Length >= _longest) _tail.Remove(0, text.Length - (_longest - 1));
        return false;
    }
}
