using System.Buffers.Binary;
using NUnit.Framework;
using Rlhf.Core;

namespace Rlhf.Trajectories.Tests;

/// <summary>Files with flipped bits, lying sizes and missing ends: a typed error or a readable file, soon, and never a crash.</summary>
public sealed class DamagedFileTests : FileTest
{
    private const int Mutations = 100;
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(5);

    [TestCase("parquet")]
    [TestCase("jsonl")]
    [TestCase("jsonl.gz")]
    [TestCase("csv")]
    public void Damage_ends_in_a_typed_error_or_in_rows(string extension)
    {
        string path = At("whole." + extension), damaged = At("damaged." + extension);
        ScoredFile.Write(path, Enumerable.Range(0, 200).Select(i => new ScoredRollout(Samples.Rollout(i), Samples.Scores(i))));
        byte[] whole = File.ReadAllBytes(path);
        int errors = 0;
        for (uint m = 0; m < Mutations; m++)
        {
            File.WriteAllBytes(damaged, Mutate(whole, m));
            long start = System.Diagnostics.Stopwatch.GetTimestamp();
            try
            {
                _ = ScoredFile.Read(damaged).Count();
            }
            catch (RlhfException e)
            {
                errors++;
                Assert.That(e.Message, Does.Contain("damaged." + extension), $"mutation {m}");
            }

            Assert.That(System.Diagnostics.Stopwatch.GetElapsedTime(start), Is.LessThan(s_limit), $"mutation {m}");
        }

        Assert.That(errors, Is.GreaterThan(Mutations / 2), "most damage shows");
    }

    /// <summary>The last list of a footer says that it has 2²⁸ elements: DuckDB alone makes room for them, which takes 20 seconds.</summary>
    [Test]
    public void A_list_that_lies_in_a_footer_is_told_at_once()
    {
        string path = At("lies.parquet");
        ScoredFile.Write(path, Enumerable.Range(0, 5).Select(i => new ScoredRollout(Samples.Rollout(i), Samples.Scores(i))));
        byte[] file = File.ReadAllBytes(path);
        // Field 7, column_orders: a list of more than 14 structs, each of them the empty struct in its field 1.
        byte[] orders = [0x1C, 0, 0, 0x1C, 0, 0];
        int at = file.AsSpan().LastIndexOf(new byte[] { 0x19, 0xFC }) + 2;
        Assert.That(file.AsSpan(at + 1, orders.Length).SequenceEqual(orders), "where the number of elements stands");
        ReadOnlySpan<byte> number = [0xFF, 0xFF, 0xFF, 0x7F];
        number.CopyTo(file.AsSpan(at));
        File.WriteAllBytes(path, file);
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        Assert.That(Message(() => _ = ScoredFile.Read(path).Count()), Does.StartWith($"{path} cannot be read as Parquet: a list in its footer says that it has 268435455 elements"));
        Assert.That(System.Diagnostics.Stopwatch.GetElapsedTime(start), Is.LessThan(s_limit));
    }

    private static byte[] Mutate(byte[] whole, uint m)
    {
        uint Draw(uint k, int below) => (uint)(AddressedRandom.Bits(1, AddressedRandom.Stream.Data, m, k) % (ulong)below);
        byte[] bytes = (byte[])whole.Clone();
        switch (m % 4)
        {
            case 0:
                for (uint k = 0; k < 8; k++) bytes[Draw(k, bytes.Length)] ^= (byte)(1 << (int)Draw(100 + k, 8));
                break;
            case 1:
                return bytes[..(int)Draw(0, bytes.Length)];
            case 2:
                // The end is where Parquet keeps its metadata.
                for (uint k = 0; k < 6; k++) bytes[bytes.Length - 1 - (int)Draw(k, Math.Min(4000, bytes.Length))] = (byte)Draw(100 + k, 256);
                break;
            default:
                BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan((int)Draw(0, bytes.Length - 4)), int.MaxValue);
                break;
        }

        return bytes;
    }
}
