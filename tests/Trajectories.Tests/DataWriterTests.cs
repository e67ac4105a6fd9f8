using NUnit.Framework;
using Rlhf.Core;

namespace Rlhf.Trajectories.Tests;

public sealed class DataWriterTests : FileTest
{
    private static readonly DataColumn[] s_all =
    [
        new("b", ColumnType.Bool), new("i", ColumnType.Int32), new("l", ColumnType.Int64), new("f", ColumnType.Float), new("d", ColumnType.Double),
        new("t", ColumnType.Text), new("il", ColumnType.Int32List), new("ll", ColumnType.Int64List), new("fl", ColumnType.FloatList),
        new("dl", ColumnType.DoubleList), new("tl", ColumnType.TextList), new("m", ColumnType.DoubleMap), new("j", ColumnType.Json),
    ];

    private static void WriteAll(DataWriter writer, int rows)
    {
        for (int i = 0; i < rows; i++)
        {
            if (i % 3 != 1)
            {
                writer.Set(0, i % 2 == 0);
                writer.Set(1, -i);
                writer.Set(2, long.MinValue + 1 + i);
                writer.Set(3, i / 3f);
                writer.Set(4, i / 3.0);
                writer.Set(5, i % 2 == 0 ? "short" : "a text of more than twelve bytes \u0085 " + i);
                writer.Set(6, Enumerable.Range(0, i % 4).ToArray().AsSpan());
                writer.Set(7, new[] { long.MaxValue - i }.AsSpan());
                writer.Set(8, new[] { i + 0.5f, -i }.AsSpan());
                writer.Set(9, new[] { 1.0 / (i + 1) }.AsSpan());
                writer.Set(10, new[] { "", "x" + i, "another long element of a list" });
                writer.Set(11, new Dictionary<string, double> { ["a"] = i, ["a longer name, it is"] = i / 7.0 });
                writer.Set(12, "{\"k\": [" + i + "]}");
            }

            writer.EndRow();
        }
    }

    private static void CheckAll(string path, int rows)
    {
        using DataReader reader = DataReader.Open(path, new ReadOptions { Columns = s_all });
        int i = 0;
        foreach (RowBatch batch in reader.Batches())
        {
            for (int r = 0; r < batch.Count; r++, i++)
            {
                if (i % 3 == 1)
                {
                    for (int c = 0; c < s_all.Length; c++) Assert.That(batch.IsNull(c, r), $"row {i}, column {s_all[c].Name}");
                    Assert.That(batch.GetString(5, r), Is.Null);
                    Assert.That(batch.GetFloatList(8, r), Is.Null);
                    continue;
                }

                Assert.That(batch.GetBool(0, r), Is.EqualTo(i % 2 == 0));
                Assert.That(batch.GetInt32(1, r), Is.EqualTo(-i));
                Assert.That(batch.GetInt64(2, r), Is.EqualTo(long.MinValue + 1 + i));
                Assert.That(batch.GetFloat(3, r), Is.EqualTo(i / 3f));
                Assert.That(batch.GetDouble(4, r), Is.EqualTo(i / 3.0));
                Assert.That(batch.GetString(5, r), Is.EqualTo(i % 2 == 0 ? "short" : "a text of more than twelve bytes \u0085 " + i));
                Assert.That(batch.GetInt32List(6, r), Is.EqualTo(Enumerable.Range(0, i % 4)));
                Assert.That(batch.GetInt64List(7, r), Is.EqualTo(new[] { long.MaxValue - i }));
                Assert.That(batch.GetFloatList(8, r), Is.EqualTo(new[] { i + 0.5f, -i }));
                Assert.That(batch.GetDoubleList(9, r), Is.EqualTo(new[] { 1.0 / (i + 1) }));
                Assert.That(batch.GetTextList(10, r), Is.EqualTo(new[] { "", "x" + i, "another long element of a list" }));
                Assert.That(batch.GetDoubleMap(11, r), Is.EqualTo(new Dictionary<string, double> { ["a"] = i, ["a longer name, it is"] = i / 7.0 }));
                Assert.That(batch.GetString(12, r), Is.EqualTo("{\"k\": [" + i + "]}"));
            }
        }

        Assert.That(i, Is.EqualTo(rows));
    }

    [TestCase("x.parquet")]
    [TestCase("x.jsonl")]
    [TestCase("x.jsonl.gz")]
    [TestCase("x.json")]
    [TestCase("x.csv")]
    [TestCase("x.csv.gz")]
    [TestCase("x.tsv")]
    public void Every_type_comes_back_from_every_format(string name)
    {
        using (DataWriter writer = DataWriter.Create(At(name), s_all))
        {
            WriteAll(writer, 5000);
            Assert.That(Left(), Does.Contain(name + ".partial"));
            writer.Complete();
        }

        Assert.That(Left(), Is.EqualTo(new[] { name }));
        CheckAll(At(name), 5000);
    }

    [Test]
    public void The_same_rows_give_the_same_bytes()
    {
        foreach (string name in new[] { "a.parquet", "b.parquet" })
        {
            using DataWriter writer = DataWriter.Create(At(name), s_all);
            if (name[0] == 'b') Thread.Sleep(50);
            WriteAll(writer, 20_000);
            writer.Complete();
        }

        Assert.That(File.ReadAllBytes(At("a.parquet")), Is.EqualTo(File.ReadAllBytes(At("b.parquet"))));
    }

    [Test]
    public void Special_numbers_come_back_from_parquet_and_csv()
    {
        foreach (string name in new[] { "x.parquet", "x.csv" })
        {
            using (DataWriter writer = DataWriter.Create(At(name), [new("d", ColumnType.Double), new("f", ColumnType.FloatList)]))
            {
                foreach (double d in new[] { double.NaN, double.PositiveInfinity, double.NegativeInfinity, -0.0, double.Epsilon, double.MaxValue })
                {
                    writer.Set(0, d);
                    writer.Set(1, new[] { float.NaN, float.NegativeInfinity }.AsSpan());
                    writer.EndRow();
                }

                writer.Complete();
            }

            using DataReader reader = DataReader.Open(At(name), new ReadOptions { Columns = [new("d", ColumnType.Double), new("f", ColumnType.FloatList)] });
            RowBatch batch = reader.Batches().First();
            RowBatch all = batch;
            Assert.That(all.Count, Is.Zero, "a batch ends with its enumeration");
            var values = new List<double>();
            foreach (RowBatch b in reader.Batches())
            {
                for (int r = 0; r < b.Count; r++)
                {
                    values.Add(b.GetDouble(0, r));
                    Assert.That(b.GetFloatList(1, r), Is.EqualTo(new[] { float.NaN, float.NegativeInfinity }));
                }
            }

            Assert.That(values, Is.EqualTo(new[] { double.NaN, double.PositiveInfinity, double.NegativeInfinity, -0.0, double.Epsilon, double.MaxValue }), name);
        }
    }

    [Test]
    public void Texts_with_every_kind_of_line_end_zero_bytes_and_empty_ones_come_back()
    {
        string[] texts = ["", " ", "a\u0085b", "a\u2028b\u2029c", "a\rb\r\nc\nd", "tab\t,;|\"quote\"'", "\0zero\0", "NULL", "null", "NaN", "🎬👩‍👩‍👧", "\ufeffbom", new string('x', 100_000), "\\N \\n", "#comment"];
        foreach (string name in new[] { "x.parquet", "x.jsonl", "x.json", "x.csv", "x.tsv" })
        {
            string[] expected = name.EndsWith("sv", StringComparison.Ordinal) ? [.. texts.Where(t => !t.Contains('\0'))] : texts;
            using (DataWriter writer = DataWriter.Create(At(name), [new("n", ColumnType.Int32), new("t", ColumnType.Text)]))
            {
                for (int i = 0; i < expected.Length; i++)
                {
                    writer.Set(0, i);
                    writer.Set(1, expected[i]);
                    writer.EndRow();
                }

                writer.Complete();
            }

            using DataReader reader = DataReader.Open(At(name), new ReadOptions { Columns = [new("t", ColumnType.Text)] });
            var read = new List<string?>();
            foreach (RowBatch batch in reader.Batches())
            {
                for (int r = 0; r < batch.Count; r++) read.Add(batch.GetString(0, r));
            }

            Assert.That(read, Is.EqualTo(expected), name);
        }
    }

    [Test]
    public void Given_up_leaves_nothing_and_an_older_file_stays()
    {
        Text("x.parquet", "older");
        using (DataWriter writer = DataWriter.Create(At("x.parquet"), s_all)) WriteAll(writer, 10_000);
        Assert.That(Left(), Is.EqualTo(new[] { "x.parquet" }));
        Assert.That(File.ReadAllText(At("x.parquet")), Is.EqualTo("older"));
    }

    [Test]
    public void An_exception_while_writing_leaves_nothing()
    {
        Assert.Throws<InvalidOperationException>(() =>
        {
            using DataWriter writer = DataWriter.Create(At("x.parquet"), s_all);
            WriteAll(writer, 3000);
            throw new InvalidOperationException("the model failed");
        });
        Assert.That(Left(), Is.Empty);
    }

    [Test]
    public void No_rows_give_a_file_with_columns()
    {
        using (DataWriter writer = DataWriter.Create(At("x.parquet"), s_all)) writer.Complete();
        using DataReader reader = DataReader.Open(At("x.parquet"));
        Assert.That(reader.RowCount, Is.Zero);
        Assert.That(reader.Columns.Select(c => c.Name), Is.EqualTo(s_all.Select(c => c.Name)));
        Assert.That(reader.Batches(), Is.Empty);
    }

    [Test]
    public void A_row_taken_back_is_not_written()
    {
        using (DataWriter writer = DataWriter.Create(At("x.parquet"), s_all))
        {
            WriteAll(writer, 3);
            writer.Set(1, 99);
            writer.Set(5, "undone");
            writer.Set(6, new[] { 9, 9 }.AsSpan());
            writer.Set(10, new[] { "undone" });
            writer.Set(11, new Dictionary<string, double> { ["undone"] = 1 });
            writer.UndoRow();
            writer.Complete();
        }

        CheckAll(At("x.parquet"), 3);
    }

    [TestCase("folder.parquet")]
    [TestCase("file.txt/x.parquet")]
    public void A_place_that_cannot_be_written_is_named(string name)
    {
        Directory.CreateDirectory(At("folder.parquet"));
        Text("file.txt", "x");
        Assert.That(Message(() => DataWriter.Create(At(name), s_all)), Does.Contain(At(name)).And.Contain("Cannot write"));
        Assert.That(Left(), Is.EqualTo(new[] { "file.txt", "folder.parquet" }));
    }

    [TestCase("x.jsonl")]
    [TestCase("x.parquet")]
    public void A_full_disk_is_an_error_that_names_the_file(string name)
    {
        if (!File.Exists("/dev/full")) Assert.Ignore("skipped: no /dev/full");
        File.CreateSymbolicLink(At(name + ".partial"), "/dev/full");
        string message = Message(() =>
        {
            using DataWriter writer = DataWriter.Create(At(name), s_all);
            WriteAll(writer, 100_000);
            writer.Complete();
        });
        Assert.That(message, Does.Contain(At(name)));
        Assert.That(Left(), Is.Empty);
    }

    [Test]
    public void A_value_of_another_type_is_a_programming_error()
    {
        using DataWriter writer = DataWriter.Create(At("x.parquet"), s_all);
        Assert.That(() => writer.Set(1, 0.5), Throws.InvalidOperationException.With.Message.Contains("'i'"));
        writer.Set(5, "once");
        Assert.That(() => writer.Set(5, "twice"), Throws.InvalidOperationException);
    }
}
