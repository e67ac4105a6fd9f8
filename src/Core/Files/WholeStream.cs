namespace Rlhf.Core;

/// <summary>The stream of a <see cref="WholeFile"/>: a buffered file whose failures are readable, and which can be dropped without a flush.</summary>
internal sealed class WholeStream(string path, string partialPath) : Stream
{
    private const int BufferBytes = 1 << 16;

    private readonly FileStream _file = FileErrors.Writing(
        path,
        () => new FileStream(partialPath, FileMode.Create, FileAccess.ReadWrite, FileShare.Read, BufferBytes));

    private bool _closed;

    public override bool CanRead => !_closed;
    public override bool CanSeek => !_closed;
    public override bool CanWrite => !_closed;
    public override long Length => _file.Length;

    public override long Position
    {
        get => _file.Position;
        set => Seek(value, SeekOrigin.Begin);
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        try
        {
            _file.Write(buffer);
        }
        catch (Exception error) when (FileErrors.IsFileError(error))
        {
            throw FileErrors.ForWriting(path, error);
        }
    }

    public override void Flush() => FileErrors.Writing(path, _file.Flush);
    public override int Read(byte[] buffer, int offset, int count) => FileErrors.Reading(path, () => _file.Read(buffer, offset, count));
    public override long Seek(long offset, SeekOrigin origin) => FileErrors.Writing(path, () => _file.Seek(offset, origin));
    public override void SetLength(long value) => FileErrors.Writing(path, () => _file.SetLength(value));

    /// <summary>Flushes to the device and closes.</summary>
    public void Finish()
    {
        if (_closed)
        {
            Durable.FlushFile(partialPath); // a writer that closed the stream it was given
            return;
        }

        _file.Flush(flushToDisk: true);
        _closed = true;
        _file.Dispose();
    }

    /// <summary>Closes; what is still in the buffer may be lost.</summary>
    public void Abandon()
    {
        _closed = true;
        try
        {
            _file.Dispose();
        }
        catch (Exception error) when (FileErrors.IsFileError(error))
        {
            // A full disk refuses the buffered rest as well; the file is deleted next.
        }
    }

    /// <summary>A serializer may close the stream; the file is still completed or removed by its <see cref="WholeFile"/>.</summary>
    protected override void Dispose(bool disposing)
    {
        if (disposing && !_closed)
        {
            FileErrors.Writing(path, () => _file.Flush(flushToDisk: false));
            _closed = true;
            _file.Dispose();
        }

        base.Dispose(disposing);
    }
}
