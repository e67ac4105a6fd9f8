using NUnit.Framework;

namespace Rlhf.Trajectories.Tests;

/// <summary>Sizes that a run may reach; memory is that of the whole process, native and managed.</summary>
[NonParallelizable]
public sealed class MemoryTests : FileTest
{
    // Row groups of 32 MB, the chunks on their way and DuckDB's buffers; measured 80 to 190 MB.
    private const long Allowance = 240L << 20;

    [Test]
    public void A_million_short_rows_are_written_and_read_in_flat_memory()
    {
        long before = Environment.WorkingSet, peak = 0;
        using (DataWriter writer = DataWriter.Create(At("x.parquet"), [new("id", ColumnType.Int32), new("text", ColumnType.Text), new("score", ColumnType.Double)]))
        {
            for (int i = 0; i < 1_000_000; i++)
            {
                writer.Set(0, i);
                writer.Set(1, (i & 1) == 0 ? "a short review" : "good");
                writer.Set(2, i * 0.5);
                writer.EndRow();
                if (i % 100_000 == 0) peak = Math.Max(peak, Environment.WorkingSet);
            }

            writer.Complete();
        }

        using DataReader reader = DataReader.Open(At("x.parquet"));
        Assert.That(reader.RowCount, Is.EqualTo(1_000_000));
        int n = 0;
        foreach (RowBatch batch in reader.Batches())
        {
            for (int r = 0; r < batch.Count; r++, n++)
            {
                if (batch.GetInt32(0, r) != n || batch.GetDouble(2, r) != n * 0.5) Assert.Fail($"row {n} is out of place");
            }

            if (n % 102_400 == 0) peak = Math.Max(peak, Environment.WorkingSet);
        }

        Assert.That(n, Is.EqualTo(1_000_000));
        TestContext.Out.WriteLine($"peak {(peak - before) >> 20} MB over {before >> 20} MB");
        Assert.That(peak - before, Is.LessThan(Allowance));
    }

    [Test]
    public void Long_rows_are_written_and_read_in_flat_memory()
    {
        // 8 000 rows of 32 KB: 256 MB through the writer and the reader.
        float[] values = new float[4096];
        string text = new('x', 16_384);
        long before = Environment.WorkingSet, peak = 0;
        using (DataWriter writer = DataWriter.Create(At("x.parquet"), [new("id", ColumnType.Int32), new("text", ColumnType.Text), new("logprobs", ColumnType.FloatList)]))
        {
            for (int i = 0; i < 8_000; i++)
            {
                for (int k = 0; k < values.Length; k += 16) values[k] = i + k;
                writer.Set(0, i);
                writer.Set(1, text);
                writer.Set(2, values.AsSpan());
                writer.EndRow();
                if (i % 1000 == 0) peak = Math.Max(peak, Environment.WorkingSet);
            }

            writer.Complete();
        }

        using DataReader reader = DataReader.Open(At("x.parquet"));
        int n = 0;
        foreach (RowBatch batch in reader.Batches())
        {
            for (int r = 0; r < batch.Count; r++, n++)
            {
                if (batch.GetInt32(0, r) != n || batch.FloatSpan(2, r)[4080] != n + 4080) Assert.Fail($"row {n} is out of place");
            }

            peak = Math.Max(peak, Environment.WorkingSet);
        }

        Assert.That(n, Is.EqualTo(8_000));
        TestContext.Out.WriteLine($"peak {(peak - before) >> 20} MB over {before >> 20} MB");
        Assert.That(peak - before, Is.LessThan(Allowance));
    }
}
