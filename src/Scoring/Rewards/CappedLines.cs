using System.Text;

namespace Rlhf.Scoring;

/// <summary>The lines of a stream whose writer is not trusted: a line without an end does not fill the memory.</summary>
/// <param name="reader">The stream; not owned.</param>
/// <param name="longest">Most characters of a line; of a longer one come the first <paramref name="longest"/> + 1, then the others as further lines.</param>
internal sealed class CappedLines(TextReader reader, int longest)
{
    private readonly char[] _block = new char[4096];
    private readonly StringBuilder _line = new();
    private int _at, _count;

    /// <summary>The next line without its end; null behind the last one.</summary>
    public async Task<string?> Next()
    {
        _line.Clear();
        for (bool isOpen = false; ; isOpen = true)
        {
            if (_at == _count)
            {
                (_at, _count) = (0, await reader.ReadAsync(_block.AsMemory()).ConfigureAwait(false));
                if (_count == 0) return isOpen ? Line() : null;
            }

            int rest = _count - _at, end = _block.AsSpan(_at, rest).IndexOf('\n'), room = longest + 1 - _line.Length;
            int taken = Math.Min(end < 0 ? rest : end, room);
            _line.Append(_block, _at, taken);
            _at += taken;
            if (taken == end) _at++; // the line's end
            if (taken == end || taken == room) return Line();
        }
    }

    private string Line() => _line.ToString().TrimEnd('\r');
}
