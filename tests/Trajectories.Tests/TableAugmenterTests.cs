using System.IO.Compression;
using System.Text;
using NUnit.Framework;
using Rlhf.Core;

namespace Rlhf.Trajectories.Tests;

public sealed class TableAugmenterTests : FileTest
{
    private static readonly DataColumn[] s_new = [new("score", ColumnType.Double), new("rewards", ColumnType.DoubleMap)];

    private static void Augment(string input, string output, int rows)
    {
        using TableAugmenter augmenter = TableAugmenter.Create(input, output, s_new);
        for (int i = 0; i < rows; i++)
        {
            augmenter.Rows.Set(0, i * 0.5);
            augmenter.Rows.Set(1, new Dictionary<string, double> { ["r"] = i });
            augmenter.Rows.EndRow();
        }

        augmenter.Complete();
    }

    private static List<string?[]> AllRows(string path)
    {
        using DataReader probe = DataReader.Open(path);
        using DataReader reader = DataReader.Open(path, new ReadOptions { Columns = [.. probe.FileColumns.Select(c => new DataColumn(c.Name, ColumnType.Json))] });
        var rows = new List<string?[]>();
        foreach (RowBatch batch in reader.Batches())
        {
            for (int r = 0; r < batch.Count; r++)
            {
                int row = r;
                rows.Add([.. Enumerable.Range(0, reader.Columns.Count).Select(c => batch.GetString(c, row))]);
            }
        }

        return rows;
    }

    [Test]
    public void Json_lines_keep_nested_columns_in_parquet_and_in_json_lines()
    {
        string[] lines =
        [
            "{\"id\":1,\"who\":{\"name\":\"a\",\"tags\":[\"x\",\"y\"]},\"when\":\"2020-01-01\",\"list\":[{\"a\":1.5},{\"a\":null}]}",
            "{\"id\":2,\"who\":null,\"when\":\"it's \\\"now\\\"\u0085\",\"list\":[]}",
        ];
        string input = Text("x.jsonl", string.Join("\n", lines) + "\n");
        Augment(input, At("y.parquet"), 2);
        Augment(At("y.parquet"), At("z.jsonl"), 2);
        Augment(input, At("w.jsonl"), 2);
        string[] expected = [.. lines.Select((l, i) => l[..^1] + (i == 0 ? ",\"score\":0.0,\"rewards\":{\"r\":0.0}}" : ",\"score\":0.5,\"rewards\":{\"r\":1.0}}"))];
        Assert.That(File.ReadAllText(At("z.jsonl")), Is.EqualTo(string.Join("\n", expected) + "\n"));
        Assert.That(File.ReadAllText(At("w.jsonl")), Is.EqualTo(string.Join("\n", expected) + "\n"));
        using DataReader reader = DataReader.Open(At("y.parquet"));
        Assert.That(string.Join("; ", reader.FileColumns.Select(c => c.Name + " " + c.SqlType)), Is.EqualTo(
            "id BIGINT; who STRUCT(\"name\" VARCHAR, tags VARCHAR[]); when VARCHAR; list STRUCT(a DOUBLE)[]; score DOUBLE; rewards MAP(VARCHAR, DOUBLE)"));
    }

    [Test]
    public void Csv_fields_stay_as_they_are_written()
    {
        string input = Text("x.csv", "id,text,price\n007,\"a, \"\"b\"\"\nc\",1.50\n,it's,\n");
        Augment(input, At("y.csv"), 2);
        Assert.That(File.ReadAllText(At("y.csv")), Is.EqualTo(
            "id,text,price,score,rewards\n007,\"a, \"\"b\"\"\nc\",1.50,0.0,\"{\"\"r\"\":0.0}\"\n,it's,,0.5,\"{\"\"r\"\":1.0}\"\n"));
    }

    [Test]
    public void Order_and_types_are_kept_over_many_row_groups()
    {
        RolloutFile.Write(At("r.parquet"), Enumerable.Range(0, 150_000).Select(Samples.Rollout));
        Augment(At("r.parquet"), At("s.parquet"), 150_000);
        using DataReader before = DataReader.Open(At("r.parquet")), after = DataReader.Open(At("s.parquet"));
        Assert.That(after.FileColumns.Take(before.FileColumns.Count).Select(c => c.SqlType), Is.EqualTo(before.FileColumns.Select(c => c.SqlType)));
        int seed = after.Find("seed"), score = after.Find("score"), n = 0;
        foreach (RowBatch batch in after.Batches())
        {
            for (int r = 0; r < batch.Count; r++, n++)
            {
                if (batch.GetInt64(seed, r) != long.MaxValue - n || batch.GetDouble(score, r) != n * 0.5) Assert.Fail($"row {n} is out of place");
            }
        }

        Assert.That(n, Is.EqualTo(150_000));
    }

    [Test]
    public void A_column_of_the_same_name_is_replaced()
    {
        string input = Text("x.jsonl", "{\"score\": \"old\", \"id\": 1}\n{\"score\": \"old\", \"id\": 2}\n");
        Augment(input, At("y.parquet"), 2);
        Assert.That(AllRows(At("y.parquet")), Is.EqualTo(new[] { new[] { "1", "0.0", "{\"r\":0.0}" }, ["2", "0.5", "{\"r\":1.0}"] }));
    }

    [TestCase(1)]
    [TestCase(3)]
    public void A_different_number_of_rows_is_refused_and_leaves_nothing(int rows)
    {
        string input = Text("x.jsonl", "{\"id\": 1}\n{\"id\": 2}\n");
        Assert.That(Message(() => Augment(input, At("y.parquet"), rows)), Does.Contain($"has 2 rows but there are values for {rows}"));
        Assert.That(Left(), Is.EqualTo(new[] { "x.jsonl" }));
    }

    [Test]
    public void Given_up_leaves_nothing()
    {
        string input = Text("x.jsonl", "{\"id\": 1}\n");
        using (TableAugmenter augmenter = TableAugmenter.Create(input, At("y.parquet"), s_new)) augmenter.Rows.EndRow();
        Assert.That(Left(), Is.EqualTo(new[] { "x.jsonl" }));
    }

    [Test]
    public void The_output_may_replace_the_input()
    {
        string input = Text("x.jsonl", "{\"id\": 1}\n{\"id\": 2}\n");
        Augment(input, input, 2);
        Assert.That(AllRows(input), Has.Count.EqualTo(2));
        Assert.That(Left(), Is.EqualTo(new[] { "x.jsonl" }));
    }

    /// <summary>Half a gigabyte of rows in half a megabyte: to count them takes seconds, which nobody who stopped should wait for.</summary>
    [Test]
    public void AJoinEndsWhereItIsCancelled()
    {
        byte[] part;
        using (var packed = new MemoryStream())
        {
            using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true)) gzip.Write(Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("some text\n", 1 << 20))));
            part = packed.ToArray();
        }

        using (FileStream file = File.Create(At("in.csv.gz")))
        {
            for (int i = 0; i < 50; i++) file.Write(part);
        }

        using CancellationTokenSource stop = new();
        using (TableAugmenter augmenter = TableAugmenter.Create(At("in.csv.gz"), At("out.parquet"), s_new))
        {
            augmenter.Rows.Set(0, 1.0);
            augmenter.Rows.Set(1, new Dictionary<string, double>());
            augmenter.Rows.EndRow();
            stop.CancelAfter(TimeSpan.FromMilliseconds(100));
            Assert.That(() => augmenter.Complete(stop.Token), Throws.InstanceOf<OperationCanceledException>(), "read to its end, it would not have one row but 50 million");
        }

        Assert.That(Left(), Is.EqualTo(new[] { "in.csv.gz" }));
    }
}
