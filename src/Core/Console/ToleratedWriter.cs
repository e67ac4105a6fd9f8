using System.Text;

namespace Rlhf.Core;

/// <summary>
/// Messages for people that may find no reader: stderr in a file on a full disk, or a closed descriptor. A message that cannot be written is
/// dropped, the one failure that is not told: stderr is the only place to tell it, work and exit code must not depend on who listens, and a
/// signal handler that throws would end the process. Results (stdout) are another matter: their failure is an error.
/// </summary>
public sealed class ToleratedWriter(TextWriter inner) : TextWriter(inner.FormatProvider)
{
    public override Encoding Encoding => inner.Encoding;

    public override void Write(char value) => Tolerate(() => inner.Write(value));
    public override void Write(string? value) => Tolerate(() => inner.Write(value));
    public override void Write(char[] buffer, int index, int count) => Tolerate(() => inner.Write(buffer, index, count));
    public override void WriteLine(string? value) => Tolerate(() => inner.WriteLine(value));
    public override void Flush() => Tolerate(inner.Flush);

    private static void Tolerate(Action write)
    {
        try
        {
            write();
        }
        catch (Exception error) when (FileErrors.IsFileError(error))
        {
            // See above.
        }
    }
}
