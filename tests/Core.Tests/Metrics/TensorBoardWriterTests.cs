using System.Buffers.Binary;
using System.Text;
using NUnit.Framework;

namespace Rlhf.Core.Tests;

public sealed class TensorBoardWriterTests
{
    /// <summary>Check values of CRC-32C: the catalogue's "123456789" and those of RFC 3720, B.4.</summary>
    [Test]
    public void KnownChecksums()
    {
        Assert.That(Crc32C.Of("123456789"u8), Is.EqualTo(0xE3069283u));
        Assert.That(Crc32C.Of(new byte[32]), Is.EqualTo(0x8A9136AAu));
        Assert.That(Crc32C.Of([.. Enumerable.Repeat((byte)0xFF, 32)]), Is.EqualTo(0x62A8AB43u));
        Assert.That(Crc32C.Of([.. Enumerable.Range(0, 32).Select(i => (byte)i)]), Is.EqualTo(0x46DD794Eu));
        Assert.That(Crc32C.Of([]), Is.Zero);
        // ((c >> 15) | (c << 17)) + 0xA282EAD8 with c = 0xE3069283.
        Assert.That(Crc32C.Masked("123456789"u8), Is.EqualTo(unchecked(((0xE3069283u >> 15) | (0xE3069283u << 17)) + 0xA282EAD8u)));
    }

    [Test]
    public void TheFileReadsBack()
    {
        using TemporaryFolder folder = new();
        ManualClock clock = new();
        using (TensorBoardWriter writer = new(folder.Path, clock: clock))
        {
            clock.Advance(0.5);
            writer.Write(300, new Dictionary<string, double> { ["kl/coefficient"] = 0.25, ["score/mean"] = -2 });
            Assert.That(() => writer.Write(1, new Dictionary<string, double> { ["nope"] = 1 }), Throws.ArgumentException);
        }

        string file = Directory.GetFiles(folder.Path).Single();
        Assert.That(Path.GetFileName(file), Does.StartWith("events.out.tfevents.1700000000."));
        List<byte[]> records = Records(File.ReadAllBytes(file));
        Assert.That(records, Has.Count.EqualTo(2));

        Dictionary<int, List<object>> head = Fields(records[0]);
        Assert.That(head[1].Single(), Is.EqualTo(BitConverter.DoubleToUInt64Bits(1_700_000_000)));
        Assert.That(Encoding.UTF8.GetString((byte[])head[3].Single()), Is.EqualTo("brain.Event:2"));

        Dictionary<int, List<object>> row = Fields(records[1]);
        Assert.That(row[1].Single(), Is.EqualTo(BitConverter.DoubleToUInt64Bits(1_700_000_000.5)));
        Assert.That(row[2].Single(), Is.EqualTo(300UL));
        (string Tag, float Value)[] values = [.. Fields((byte[])row[5].Single())[1].Select(v => Fields((byte[])v))
            .Select(v => (Encoding.UTF8.GetString((byte[])v[1].Single()), BitConverter.UInt32BitsToSingle((uint)v[2].Single())))];
        Assert.That(values, Is.EqualTo(new[] { ("score/mean", -2f), ("kl/coefficient", 0.25f) }));
    }

    /// <summary>A second, naive reader of the record format; checks both checksums.</summary>
    private static List<byte[]> Records(byte[] file)
    {
        List<byte[]> records = [];
        for (int at = 0; at < file.Length;)
        {
            int length = (int)BinaryPrimitives.ReadUInt64LittleEndian(file.AsSpan(at));
            Assert.That(BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(at + 8)), Is.EqualTo(Crc32C.Masked(file.AsSpan(at, 8))));
            byte[] data = file[(at + 12)..(at + 12 + length)];
            Assert.That(BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(at + 12 + length)), Is.EqualTo(Crc32C.Masked(data)));
            records.Add(data);
            at += length + 16;
        }

        return records;
    }

    private static Dictionary<int, List<object>> Fields(byte[] message)
    {
        Dictionary<int, List<object>> fields = [];
        int at = 0;
        while (at < message.Length)
        {
            ulong tag = Varint();
            object value;
            switch (tag & 7)
            {
                case 0:
                    value = Varint();
                    break;
                case 1:
                    value = BinaryPrimitives.ReadUInt64LittleEndian(message.AsSpan(at));
                    at += 8;
                    break;
                case 2:
                    int length = (int)Varint();
                    value = message[at..(at + length)];
                    at += length;
                    break;
                default:
                    value = BinaryPrimitives.ReadUInt32LittleEndian(message.AsSpan(at));
                    at += 4;
                    break;
            }

            if (!fields.TryGetValue((int)(tag >> 3), out List<object>? list)) fields[(int)(tag >> 3)] = list = [];
            list.Add(value);
        }

        return fields;

        ulong Varint()
        {
            ulong value = 0;
            for (int shift = 0; ; shift += 7)
            {
                byte b = message[at++];
                value |= (ulong)(b & 0x7F) << shift;
                if (b < 0x80) return value;
            }
        }
    }
}
