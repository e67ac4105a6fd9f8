using System.IO.Compression;
using System.Text;
using NUnit.Framework;
using Rlhf.Core;

namespace Rlhf.Trajectories.Tests;

public sealed class DataReaderTests : FileTest
{
    private static List<string?> Texts(string path, string column = "text", ReadOptions? options = null)
    {
        using DataReader reader = DataReader.Open(path, (options ?? new ReadOptions()) with { Columns = [new(column, ColumnType.Text)] });
        var texts = new List<string?>();
        foreach (RowBatch batch in reader.Batches())
        {
            Assert.That(batch.FirstRow, Is.EqualTo(texts.Count));
            for (int r = 0; r < batch.Count; r++) texts.Add(batch.GetString(0, r));
        }

        return texts;
    }

    private static void Drain(string path, params DataColumn[] columns)
    {
        using DataReader reader = DataReader.Open(path, columns.Length == 0 ? null : new ReadOptions { Columns = columns });
        foreach (RowBatch batch in reader.Batches()) _ = batch.Count;
    }

    private string Gzip(string name, string content)
    {
        using var stream = new GZipStream(File.Create(At(name)), CompressionLevel.Fastest);
        stream.Write(Encoding.UTF8.GetBytes(content));
        return At(name);
    }

    [TestCase("\n")]
    [TestCase("\r\n")]
    public void Json_lines_end_at_line_feeds_only(string end)
    {
        // The raw characters, not their escapes, as some published data sets have them.
        string[] lines = ["{\"text\": \"a\u0085b\"}", "{\"text\": \"c\u2028d\u2029e\"}", "{\"text\": \"f\u000bg\u000ch\u001ci\"}".Replace("\u000b", "\\u000b").Replace("\u000c", "\\f").Replace("\u001c", "\\u001c"), "{\"text\": \"2020-01-01\"}"];
        string[] expected = ["a\u0085b", "c\u2028d\u2029e", "f\u000bg\u000ch\u001ci", "2020-01-01"];
        Assert.That(Texts(Text("x.jsonl", string.Join(end, lines) + end)), Is.EqualTo(expected));
        Assert.That(Texts(Text("x.ndjson", string.Join(end, lines))), Is.EqualTo(expected));
        Assert.That(Texts(Gzip("x.jsonl.gz", string.Join(end, lines) + end)), Is.EqualTo(expected));
        Assert.That(Texts(Text("x.json", "[" + string.Join("," + end, lines) + "]")), Is.EqualTo(expected));
        Assert.That(Texts(Text("x.csv", "n,text" + end + "1,\"a\u0085b\"" + end + "2,c\u2028d\u2029e" + end)), Is.EqualTo(expected[..2]));
    }

    [Test]
    public void Texts_that_look_like_dates_or_uuids_keep_every_character()
    {
        string[] texts = ["2020-1-1", "2020-01-01T00:00:00Z", "12:30", "C56A4180-65AA-42EC-A945-5FD21DEC0538", "007", "1e5", "true"];
        foreach (string text in texts)
        {
            string path = Text("x.jsonl", $"{{\"text\": \"{text}\", \"o\": {{\"t\": \"{text}\"}}}}\n");
            Assert.That(Texts(path), Is.EqualTo(new[] { text }));
            using DataReader all = DataReader.Open(path);
            foreach (RowBatch batch in all.Batches())
            {
                Assert.That(batch.GetString(0, 0), Is.EqualTo(text));
                Assert.That(batch.GetString(1, 0), Is.EqualTo($"{{\"t\":\"{text}\"}}"));
            }

            Assert.That(Texts(Text("x.csv", $"text\n{text}\n")), Is.EqualTo(new[] { text }));
        }
    }

    [Test]
    public void All_columns_with_their_types()
    {
        string path = Text("x.jsonl", "{\"i\": 1, \"d\": 0.5, \"b\": true, \"t\": \"a\", \"l\": [1, 2], \"o\": {\"k\": [1]}, \"n\": null}\n{\"i\": 2, \"late\": \"x\"}\n");
        using DataReader reader = DataReader.Open(path);
        Assert.That(string.Join(" ", reader.Columns.Select(c => c.Name + ":" + c.Type)), Is.EqualTo("i:Int64 d:Double b:Bool t:Text l:Int64List o:Json n:Json late:Text"));
        Assert.That(reader.RowCount, Is.Null);
        Assert.That(reader.CountRows(), Is.EqualTo(2));
        foreach (RowBatch batch in reader.Batches())
        {
            Assert.That(batch.GetInt64(0, 1), Is.EqualTo(2));
            Assert.That(batch.GetInt64List(4, 0), Is.EqualTo(new long[] { 1, 2 }));
            Assert.That(batch.GetString(5, 0), Is.EqualTo("{\"k\":[1]}"));
            Assert.That(batch.IsNull(1, 1) && batch.IsNull(6, 0));
            Assert.That(batch.GetString(7, 0), Is.Null);
            Assert.That(Message(() => batch.GetDouble(1, 1)), Does.Contain("x.jsonl, row 2: column 'd' has no value"));
        }
    }

    [Test]
    public void A_column_that_appears_late_is_found()
    {
        string path = Text("x.jsonl", string.Concat(Enumerable.Repeat("{\"a\": 1}\n", 30_000)) + "{\"a\": 1, \"text\": \"late\"}\n");
        Assert.That(Texts(path)[^1], Is.EqualTo("late"));
    }

    [Test]
    public void Conversations_nested_and_as_text()
    {
        Text("x.jsonl", "{\"m\": [{\"role\": \"user\", \"content\": \"it's \\\"so\\\"\"}, {\"role\": \"assistant\", \"content\": \"yes\\n\"}]}\n{\"m\": null}\n{\"m\": [{\"content\": \"x\", \"role\": \"user\"}]}");
        using (TableAugmenter a = TableAugmenter.Create(At("x.jsonl"), At("x.parquet"), [new("n", ColumnType.Int32)]))
        {
            for (int i = 0; i < 3; i++) a.Rows.EndRow();
            a.Complete();
        }

        foreach (string name in new[] { "x.jsonl", "x.parquet" })
        {
            using DataReader reader = DataReader.Open(At(name), new ReadOptions { Columns = [new("m", ColumnType.Messages)] });
            var read = new List<IReadOnlyList<ChatMessage>?>();
            foreach (RowBatch batch in reader.Batches())
            {
                for (int r = 0; r < batch.Count; r++) read.Add(batch.GetMessages(0, r));
            }

            Assert.That(read, Has.Count.EqualTo(3));
            Assert.That(read[0], Is.EqualTo(new ChatMessage[] { new("user", "it's \"so\""), new("assistant", "yes\n") }));
            Assert.That(read[1], Is.Null);
            Assert.That(read[2], Is.EqualTo(new ChatMessage[] { new("user", "x") }));
        }
    }

    [Test]
    public void Patterns_and_lists_are_read_in_order()
    {
        for (int i = 0; i < 12; i++) Text($"part-{i:D2}.jsonl", $"{{\"text\": \"{i}\"}}\n");
        Text("with [brackets] and *.jsonl", "{\"text\": \"literal\"}\n");
        Assert.That(Texts(At("part-*.jsonl")), Is.EqualTo(Enumerable.Range(0, 12).Select(i => i.ToString())));
        Assert.That(Texts(At("with [brackets] and *.jsonl")), Is.EqualTo(new[] { "literal" }));
        using DataReader reader = DataReader.Open([At("part-03.jsonl"), At("part-01.jsonl")], new ReadOptions { Columns = [new("text", ColumnType.Text)] });
        Assert.That(reader.CountRows(), Is.EqualTo(2));
        var texts = new List<string?>();
        foreach (RowBatch batch in reader.Batches())
        {
            for (int r = 0; r < batch.Count; r++) texts.Add(batch.GetString(0, r));
        }

        Assert.That(texts, Is.EqualTo(new[] { "3", "1" }));
        Assert.That(Message(() => Drain(At("none-*.jsonl"))), Does.Contain("No file matches"));
        Text("other.csv", "text\nx\n");
        Assert.That(Message(() => DataReader.Open([At("part-03.jsonl"), At("other.csv")])), Does.Contain("must have one format"));
    }

    [Test]
    public void A_folder_like_a_hive_partition_adds_no_column()
    {
        Directory.CreateDirectory(At("label=1"));
        Text("label=1/x.jsonl", "{\"text\": \"a\"}\n");
        using DataReader reader = DataReader.Open(At("label=1/x.jsonl"));
        Assert.That(reader.Columns.Select(c => c.Name), Is.EqualTo(new[] { "text" }));
    }

    [Test]
    public void Bad_files_are_named()
    {
        Text("data.jsonl", "{\"text\": 1}\n");
        Assert.That(Message(() => Drain(At("dta.jsonl"))), Does.Contain("does not exist").And.Contain("Did you mean").And.Contain("data.jsonl"));
        Assert.That(Message(() => Drain(At("no/x.parquet"))), Does.Contain("does not exist"));
        Assert.That(Message(() => Drain(Folder)), Does.Contain("is a folder"));
        Assert.That(Message(() => Drain(Text("x.xlsx", "x"))), Does.Contain("extension"));
        foreach (string name in new[] { "e.parquet", "e.jsonl", "e.json", "e.csv" }) Assert.That(Message(() => Drain(Text(name, ""))), Does.Contain("empty (0 bytes)"));
        foreach (string name in new[] { "j.parquet", "k.parquet" })
            Assert.That(Message(() => Drain(Text(name, "PAR1 this is not parquet PAR1"[..(name[0] == 'j' ? 3 : 29)]))), Does.Contain(name));
        Assert.That(Message(() => Drain(Text("bad.jsonl", "{\"text\": \"a\"}\n{\"text\": \"b\"}\n{\"text\": oops}\n{\"text\": \"d\"}\n"))), Does.Contain("bad.jsonl, row 3: malformed JSON at byte 10"));
        string late = string.Concat(Enumerable.Repeat("{\"n\": 1}\n", 30_000));
        Assert.That(Message(() => Drain(Text("late.jsonl", late + "{\"n\": \"x\"}\n"), new DataColumn("n", ColumnType.Int64))), Does.Contain("late.jsonl, row 30001:").And.Contain("\"x\""));
        byte[] gz = File.ReadAllBytes(Gzip("cut.jsonl.gz", string.Concat(Enumerable.Range(0, 50_000).Select(i => $"{{\"text\": \"{i * 7919 % 10007}\"}}\n"))));
        File.WriteAllBytes(At("cut.jsonl.gz"), gz[..(gz.Length / 2)]);
        Assert.That(Message(() => Drain(At("cut.jsonl.gz"), new DataColumn("text", ColumnType.Text))), Does.Contain("cut.jsonl.gz"));
    }

    [Test]
    public void A_parquet_file_cut_short_or_damaged_is_named()
    {
        RolloutFile.Write(At("r.parquet"), Enumerable.Range(0, 5000).Select(Samples.Rollout));
        byte[] whole = File.ReadAllBytes(At("r.parquet"));
        foreach (int keep in new[] { 3, 8, whole.Length / 2, whole.Length - 1 })
        {
            File.WriteAllBytes(At("cut.parquet"), whole[..keep]);
            Assert.That(Message(() => _ = RolloutFile.Read(At("cut.parquet")).Count()), Does.Contain("cut.parquet"), $"{keep} bytes");
        }

        byte[] zeroed = (byte[])whole.Clone();
        Array.Clear(zeroed, 1000, 20_000);
        File.WriteAllBytes(At("zeroed.parquet"), zeroed);
        Assert.That(Message(() => _ = RolloutFile.Read(At("zeroed.parquet")).Count()), Does.Contain("zeroed.parquet"));
    }

    [Test]
    public void Missing_columns_and_wrong_types_are_named()
    {
        foreach (string path in new[] { Text("x.jsonl", "{\"text\": \"a\", \"label\": 1}\n"), Text("x.csv", "text,label\na,1\n") })
        {
            Assert.That(Message(() => Drain(path, new DataColumn("txt", ColumnType.Text))), Does.Contain("has no column 'txt'. It has: text, label. Did you mean 'text'?"));
            Assert.That(Message(() => Drain(path, new DataColumn("label", ColumnType.FloatList))), Does.Contain("column 'label' is BIGINT; expected FLOAT[]"));
        }

        Assert.That(Message(() => Drain(At("x.jsonl"), new DataColumn("text", ColumnType.Double))), Does.Contain("column 'text' is VARCHAR; expected DOUBLE"));
        Assert.That(Message(() => Drain(Text("n.csv", "text,score\na,1.5\nb,high\n"), new DataColumn("score", ColumnType.Double))), Does.Contain("n.csv, row 2: column 'score' holds 'high', which is no DOUBLE"));
        using (DataWriter writer = DataWriter.Create(At("big.parquet"), [new("n", ColumnType.Int64)]))
        {
            for (int i = 0; i < 5000; i++)
            {
                writer.Set(0, i == 4000 ? 1L << 40 : i);
                writer.EndRow();
            }

            writer.Complete();
        }

        Assert.That(Message(() => Drain(At("big.parquet"), new DataColumn("n", ColumnType.Int32))), Does.Contain("big.parquet, row 4001: column 'n' holds '1099511627776'"));
    }

    [TestCase("a,b\n1,2\n1,2,3\n", "Line: 3")]
    [TestCase("a,b\n1,2\n\"x\"y,2\n", "Line: 3")]
    [TestCase("a,b\n1\n", "Line: 2")]
    [TestCase("a,b\n1,2\n3,\"unclosed\n", "Line: 3")]
    public void A_csv_line_that_does_not_fit_the_header_is_named(string csv, string expected)
    {
        Assert.That(Message(() => Drain(Text("bad.csv", csv))), Does.Contain("bad.csv").And.Contain(expected));
        Assert.That(Message(() => Drain(At("bad.csv"), new DataColumn("a", ColumnType.Text))), Does.Contain("bad.csv").And.Contain(expected));
    }

    [Test]
    public void Json_without_objects_is_named()
    {
        foreach (string json in new[] { "[]", "[1, 2]", "5" })
            Assert.That(Message(() => Drain(Text("x.json", json), new DataColumn("text", ColumnType.Text))), Does.Contain("x.json has no rows with named fields").Or.Contain("no column 'text'"));
    }

    [Test]
    public void Optional_columns_may_be_absent()
    {
        using DataReader reader = DataReader.Open(Text("x.csv", "text\na\n"), new ReadOptions { Columns = [new("id", ColumnType.Text) { Optional = true }, new("text", ColumnType.Text)] });
        Assert.That(reader.Find("id"), Is.EqualTo(-1));
        Assert.That(reader.Require("text"), Is.Zero);
        Assert.That(Message(() => reader.Require("id")), Does.Contain("no column 'id'"));
    }

    [Test]
    public void Csv_fields_keep_quotes_separators_and_line_ends()
    {
        string path = Text("x.csv", "id,text\n007,\"a, \"\"b\"\"\nc\"\n008,\n009,\"\"\n");
        Assert.That(Texts(path), Is.EqualTo(new[] { "a, \"b\"\nc", null, "" }));
        Assert.That(Texts(path, "id"), Is.EqualTo(new[] { "007", "008", "009" }));
        Assert.That(Texts(Text("y.csv", "a;text\n1;x,y\n"), "text", new ReadOptions { Delimiter = ';' }), Is.EqualTo(new[] { "x,y" }));
        Assert.That(Texts(Text("z.tsv", "a\ttext\n1\tx,y\n")), Is.EqualTo(new[] { "x,y" }));
    }

    /// <summary>DuckDB guesses types from the first 20 000 rows and would round what comes later.</summary>
    [TestCase("late.jsonl")]
    [TestCase("late.csv")]
    [TestCase("lists.jsonl")]
    [TestCase("lists.csv")]
    public void A_late_fraction_among_integers_is_refused_not_rounded(string name)
    {
        bool json = name.EndsWith("jsonl", StringComparison.Ordinal), lists = name.StartsWith("lists", StringComparison.Ordinal);
        string Line(string n) => json ? $"{{\"n\":{(lists ? $"[1,{n}]" : n)}}}" : lists ? $"\"[1, {n}]\"" : n;
        File.WriteAllText(At(name), (json ? "" : "n\n") + string.Concat(Enumerable.Repeat(Line("7") + "\n", 30_000)) + Line("1.5") + "\n");
        ColumnType type = lists ? ColumnType.Int32List : ColumnType.Int64;
        Assert.That(() => Drain(At(name), new DataColumn("n", type)), Throws.TypeOf<BadDataException>().With.Message.Contains("n"));
        File.WriteAllText(At(name), (json ? "" : "n\n") + string.Concat(Enumerable.Repeat(Line("7") + "\n", 30_000)) + Line("-10") + "\n");
        Assert.That(() => Drain(At(name), new DataColumn("n", type)), Throws.Nothing);
    }
}
