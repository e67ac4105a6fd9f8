using System.Security.Cryptography;

namespace Rlhf.Core;

/// <summary>Passes what is written on and takes its SHA-256 on the way, so that a large file need not be read again for its checksum.</summary>
/// <param name="inner">Where the bytes go; it is left open.</param>
public sealed class HashingStream(Stream inner) : Stream
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private long _length;

    public override bool CanRead => false;
    public override bool CanSeek => false;
    public override bool CanWrite => true;
    public override long Length => _length;

    public override long Position
    {
        get => _length;
        set => throw new NotSupportedException("What was hashed cannot be written over.");
    }

    /// <summary>Of everything written since the last call: 64 lower-case hexadecimal digits, as <see cref="Sha256"/> gives them.</summary>
    public string TakeSha256() => Convert.ToHexStringLower(_hash.GetHashAndReset());

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        inner.Write(buffer);
        _hash.AppendData(buffer);
        _length += buffer.Length;
    }

    public override void Flush() => inner.Flush();
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Only written to.");
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException("What was hashed cannot be written over.");
    public override void SetLength(long value) => throw new NotSupportedException("What was hashed cannot be written over.");

    protected override void Dispose(bool disposing)
    {
        if (disposing) _hash.Dispose();
        base.Dispose(disposing);
    }
}
