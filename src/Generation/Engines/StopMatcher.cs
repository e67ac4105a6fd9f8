namespace Rlhf.Generation;

/// <summary>
/// Finds stop strings in a growing text, wherever token borders fall: keeps the end of the text that can still be the beginning of a match.
/// </summary>
internal sealed class StopMatcher(IReadOnlyList<string> stops)
{
    private readonly string[] _stops = [.. stops];
    private readonly int _kept = stops.Max(stop => stop.Length) - 1; // at most
    private char[] _text = new char[256];
    private int _length;

    /// <summary>True when a stop string ends in this piece, which continues the text. One that ended in an earlier piece is over.</summary>
    public bool Append(string piece)
    {
        if (piece.Length == 0) return false;
        int before = _length;
        _length += piece.Length;
        if (_length > _text.Length) Array.Resize(ref _text, 2 * _length);
        piece.CopyTo(_text.AsSpan(before));
        bool found = false;
        foreach (string stop in _stops) found |= _text.AsSpan(0, _length)[Math.Max(0, before + 1 - stop.Length)..].IndexOf(stop) >= 0;
        if (_length <= _kept) return found;
        _text.AsSpan(_length - _kept, _kept).CopyTo(_text);
        _length = _kept;
        return found;
    }
}
