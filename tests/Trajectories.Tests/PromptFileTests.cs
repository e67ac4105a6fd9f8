using System.IO.Compression;
using System.Text.Json;
using NUnit.Framework;
using Rlhf.Core;

namespace Rlhf.Trajectories.Tests;

public sealed class PromptFileTests : FileTest
{
    private static Prompt[] Read(string path, string? column = null) => [.. PromptFile.Read(path, column)];

    [Test]
    public void Texts_ids_and_metadata_from_json_lines()
    {
        Prompt[] prompts = Read(Text("p.jsonl",
            "{\"prompt\": \"a\u0085b\", \"prompt_id\": \"x\", \"metadata\": {\"k\": 1}, \"label\": 1, \"answer\": \"42\"}\n{\"prompt\": \"c\", \"prompt_id\": \"y\"}\n"));
        Assert.That(prompts.Select(p => (p.Id, p.Text, p.Metadata)), Is.EqualTo(new[] { ("x", "a\u0085b", "{\"k\":1,\"label\":1,\"answer\":\"42\"}"), ("y", "c", (string?)null) }));
    }

    [Test]
    public void Rows_are_numbered_when_there_is_no_id()
    {
        Assert.That(Read(Text("p.csv", "prompt\na\n\"b, c\"\n")).Select(p => (p.Id, p.Text, p.Metadata)), Is.EqualTo(new[] { ("0", "a", (string?)null), ("1", "b, c", null) }));
        Assert.That(Read(Text("p.txt", "a\u0085b\r\n\nc d")).Select(p => (p.Id, p.Text)), Is.EqualTo(new[] { ("0", "a\u0085b"), ("2", "c d") }));
        Assert.That(Read(Text("q.csv", "id,prompt,label,note\n007,a,01,x\n")).Select(p => (p.Id, p.Text, p.Metadata)), Is.EqualTo(new[] { ("007", "a", "{\"label\":\"01\",\"note\":\"x\"}") }));
    }

    /// <summary>Some kilobytes that unpack to a line without an end.</summary>
    [Test]
    public void A_line_without_an_end_is_refused()
    {
        string path = Path.Combine(Folder, "bomb.txt.gz");
        using (var packed = new GZipStream(File.Create(path), CompressionLevel.Fastest))
        {
            packed.Write("a\n"u8);
            byte[] block = [.. Enumerable.Repeat((byte)'b', 1 << 20)];
            for (int i = 0; i < 40; i++) packed.Write(block);
        }

        Assert.That(Message(() => Read(path)), Does.StartWith($"{path}, line 2: the line is longer than 16777216 characters; expected one prompt a line."));
    }

    [TestCase(2_000_000, "a")]
    [TestCase(20_000, ",")]
    public void A_csv_header_without_an_end_is_refused(int count, string part)
    {
        string path = Text("bomb.csv", "\"" + string.Concat(Enumerable.Repeat(part, part == "a" ? count : 0)) + (part == "," ? "\"" : "") + string.Concat(Enumerable.Repeat(part, part == "," ? count : 0)));
        Assert.That(() => CsvHeader.Names(path, ','), Throws.TypeOf<InvalidDataException>().With.Message.Contains("expected a header"));
    }

    [Test]
    public void The_five_columns_of_verl()
    {
        string jsonl = Text("v.jsonl",
            "{\"data_source\": \"gsm8k\", \"prompt\": [{\"role\": \"user\", \"content\": \"1+1?\"}], \"ability\": \"math\", "
            + "\"reward_model\": {\"style\": \"rule\", \"ground_truth\": \"2\"}, \"extra_info\": {\"split\": \"train\", \"index\": 0}}\n");
        using (TableAugmenter a = TableAugmenter.Create(jsonl, At("v.parquet"), [new("prompt_tokens", ColumnType.Int32List)]))
        {
            a.Rows.Set(0, new[] { 1, 5, 9 }.AsSpan());
            a.Rows.EndRow();
            a.Complete();
        }

        foreach (string path in new[] { jsonl, At("v.parquet") })
        {
            Prompt prompt = Read(path).Single();
            Assert.That(prompt.Text, Is.EqualTo("1+1?"));
            Assert.That(prompt.Metadata, Is.EqualTo(
                "{\"data_source\":\"gsm8k\",\"ability\":\"math\",\"reward_model\":{\"style\":\"rule\",\"ground_truth\":\"2\"},\"extra_info\":{\"split\":\"train\",\"index\":0}}"));
            Assert.That(prompt.Tokens, path == jsonl ? Is.Null : Is.EqualTo(new[] { 1, 5, 9 }));
        }
    }

    [Test]
    public void A_longer_conversation_keeps_its_turns()
    {
        Prompt prompt = Read(Text("c.jsonl", "{\"prompt\": [{\"role\": \"system\", \"content\": \"Be brief.\"}, {\"role\": \"user\", \"content\": \"Hi\"}]}\n")).Single();
        Assert.That(prompt.Text, Is.EqualTo("system: Be brief.\nuser: Hi"));
        using JsonDocument metadata = JsonDocument.Parse(prompt.Metadata!);
        Assert.That(metadata.RootElement.GetProperty("messages")[1].GetProperty("content").GetString(), Is.EqualTo("Hi"));
    }

    [Test]
    public void A_conversation_may_stand_as_json_text([Values("t.csv", "t.jsonl", "t.parquet")] string name)
    {
        using (DataWriter writer = DataWriter.Create(At(name), [new("prompt", ColumnType.Text)]))
        {
            writer.Set(0, "[{\"role\": \"user\", \"content\": \"Say \\\"a, b\\\"\"}]");
            writer.EndRow();
            writer.Complete();
        }

        Assert.That(Read(At(name)).Single().Text, Is.EqualTo("Say \"a, b\""));
        Assert.That(Read(Text("plain.csv", "prompt\n[Be brief] Hi\n")).Single().Text, Is.EqualTo("[Be brief] Hi"));
    }

    [Test]
    public void Another_column_can_hold_the_prompt()
    {
        Prompt prompt = Read(Text("g.jsonl", "{\"question\": \"How many?\", \"answer\": \"#### 4\"}\n"), "question").Single();
        Assert.That((prompt.Text, prompt.Metadata), Is.EqualTo(("How many?", "{\"answer\":\"#### 4\"}")));
    }

    [Test]
    public void Bad_prompt_files_are_named()
    {
        Assert.That(Message(() => Read(Text("a.jsonl", ""))), Does.Contain("a.jsonl is empty"));
        Assert.That(Message(() => Read(Text("a.txt", "\n\n"))), Does.Contain("a.txt has no prompts"));
        Assert.That(Message(() => Read(Text("h.csv", "prompt\n"))), Does.Contain("h.csv has no prompts"));
        Assert.That(Message(() => Read(At("no.txt"))), Does.Contain("does not exist"));
        Assert.That(Message(() => Read(Text("b.jsonl", "{\"promt\": \"x\"}\n"))), Does.Contain("no column 'prompt'").And.Contain("Did you mean 'promt'?"));
        Assert.That(Message(() => Read(Text("c.jsonl", "{\"prompt\": \"x\"}\n{\"prompt\": null}\n"))), Does.Contain("c.jsonl, row 2: column 'prompt' is empty"));
        Assert.That(Message(() => Read(Text("d.jsonl", "{\"prompt\": \"x\", \"id\": 1}\n{\"prompt\": \"y\", \"id\": 1}\n"))), Does.Contain("row 2: prompt id '1' came before"));
        Assert.That(Message(() => Read(Text("e.jsonl", "{\"prompt\": 5}\n{\"prompt\": {\"a\": 1}}\n"))), Does.Contain("e.jsonl"));
    }

    [Test]
    public void Published_data_sets_can_be_read()
    {
        Assert.That(PromptFile.Read(Checkout.Shared("data/gsm8k/test.jsonl"), "question").Count(), Is.EqualTo(1319));
        using DataReader reader = DataReader.Open(Checkout.Shared("data/imdb/train.jsonl.gz"));
        int rows = 0, nextLine = 0, text = reader.Require("text");
        foreach (RowBatch batch in reader.Batches())
        {
            for (int r = 0; r < batch.Count; r++) nextLine += batch.GetUtf8(text, r).IndexOf("\u0085"u8) >= 0 ? 1 : 0;
            rows += batch.Count;
        }

        Assert.That(rows, Is.EqualTo(24_980));
        Assert.That(nextLine, Is.GreaterThan(0), "texts with U+0085");
    }
}
