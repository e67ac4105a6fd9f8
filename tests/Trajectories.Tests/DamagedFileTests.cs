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
