using System.Text.Json;
using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Tokenization.Bpe;
using Rlhf.Tokenization.Text;

namespace Rlhf.Tokenization.Tests;

public sealed class TokenizerFolderTests
{
    private string _folder = "";

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("rlhf-tok-").FullName;

    [TearDown]
    public void DeleteFolder() => Directory.Delete(_folder, recursive: true);

    private void WriteSmall() =>
        BpeFolder.Write(BpeTrainer.Train(new Dictionary<string, long> { ["hello"] = 5 }, new BpeTrainerOptions(262)), _folder);

    private void Edit(string file, string from, string to)
    {
        string path = Path.Combine(_folder, file);
        string text = File.ReadAllText(path);
        Assert.That(text, Does.Contain(from));
        File.WriteAllText(path, text.Replace(from, to, StringComparison.Ordinal));
    }

    [Test]
    public void Stories260KDecodesItsReferenceText()
    {
        string folder = Checkout.Shared("models/stories260K");
        using JsonDocument reference = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "reference.json")));
        int[] ids = [.. reference.RootElement.GetProperty("greedy_ids").EnumerateArray().Select(id => id.GetInt32())];
        string text = reference.RootElement.GetProperty("greedy_text").GetString()!;
        using Tokenizer tokenizer = Tokenizer.Open(folder);
        Assert.That(tokenizer.Decode(ids), Is.EqualTo(text));
        // Right after BOS, and only there, GenAI leaves out the space that SentencePiece puts before the first word.
        Assert.That(tokenizer.DecodeByGenAI(ids), Is.EqualTo(text[1..]));
        Assert.That(tokenizer.DecodeByGenAI(ids.AsSpan(1)), Is.EqualTo(text));
        TextStream stream = tokenizer.CreateStream();
        Assert.That(string.Concat(ids.Select(stream.Append)) + stream.Finish(), Is.EqualTo(text));
        Assert.That((tokenizer.BosId, tokenizer.EosIds[0], tokenizer.PadId, tokenizer.VocabularySize), Is.EqualTo(((int?)1, 2, (int?)null, 512)));
        Assert.That(tokenizer.EncodePrompt("Once upon a time")[0], Is.EqualTo(1));
    }

    [Test]
    public void SentencePieceTextComesBack()
    {
        using Tokenizer tokenizer = Tokenizer.Open(Checkout.Shared("models/stories260K"));
        foreach (string text in (string[])["Once upon a time", "naïve 🙂 日本", "two  spaces", "a\nb"])
            Assert.That(tokenizer.Decode(tokenizer.Encode(text)), Is.EqualTo(" " + text).And.EqualTo(tokenizer.DecodeByGenAI(tokenizer.Encode(text))));
    }

    [Test]
    public void AResponseThatContinuesKeepsItsSpace()
    {
        using Tokenizer tokenizer = Tokenizer.Open(Checkout.Shared("models/stories260K"));
        int[] ids = tokenizer.Encode("Once upon a time");
        string prompt = tokenizer.Decode(ids.AsSpan(0, 2));
        Assert.That(prompt + tokenizer.Decode(ids.AsSpan(2)), Is.EqualTo(" Once upon a time"));
        Assert.That(tokenizer.Decode(ids.AsSpan(2)), Is.EqualTo(tokenizer.DecodeByGenAI(ids.AsSpan(2))));
    }

    [Test]
    public void TheFileNearestToDeploymentNamesTheSpecialIds()
    {
        WriteSmall();
        File.WriteAllText(Path.Combine(_folder, "config.json"), """{ "bos_token_id": 0, "eos_token_id": 7, "pad_token_id": null }""");
        using (Tokenizer tokenizer = Tokenizer.Open(_folder))
            Assert.That((tokenizer.BosId, tokenizer.EosIds[0], tokenizer.PadId), Is.EqualTo(((int?)0, 7, (int?)2)), "config.json, then tokenizer_config.json");
        File.WriteAllText(Path.Combine(_folder, "generation_config.json"), """{ "eos_token_id": [7, 9] }""");
        using (Tokenizer tokenizer = Tokenizer.Open(_folder))
            Assert.That(tokenizer.EosIds, Is.EqualTo((int[])[7, 9]));
        File.WriteAllText(Path.Combine(_folder, "genai_config.json"), """{ "model": { "eos_token_id": 8, "pad_token_id": 5 } }""");
        using (Tokenizer tokenizer = Tokenizer.Open(_folder))
            Assert.That((tokenizer.EosIds[0], tokenizer.PadId), Is.EqualTo((8, (int?)5)));
    }

    [Test]
    public void BosFollowsTheConfigurationAndElseThePostProcessor()
    {
        WriteSmall();
        Edit("tokenizer_config.json", "\"add_bos_token\": true,", "");
        using (Tokenizer tokenizer = Tokenizer.Open(_folder))
            Assert.That(tokenizer.AddsBos, "the post-processor puts <|bos|> first");
        Edit("tokenizer_config.json", "\"add_eos_token\"", "\"add_bos_token\": false, \"add_eos_token\"");
        using (Tokenizer tokenizer = Tokenizer.Open(_folder))
            Assert.That(!tokenizer.AddsBos && tokenizer.EncodePrompt("hello")[0] != 0);
    }

    [Test]
    public void ChatTemplatesAreApplied()
    {
        WriteSmall();
        File.WriteAllText(
            Path.Combine(_folder, "chat_template.jinja"),
            "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}");
        using Tokenizer tokenizer = Tokenizer.Open(_folder);
        ChatMessage[] conversation = [new("user", "Who \"said\" that? ü"), new("assistant", "I did.")];
        Assert.That(tokenizer.ApplyChatTemplate(conversation), Is.EqualTo("<|bos|>[user] Who \"said\" that? ü\n[assistant] I did.\n[assistant]"));
        Assert.That(tokenizer.ApplyChatTemplate(conversation, addGenerationPrompt: false), Is.EqualTo("<|bos|>[user] Who \"said\" that? ü\n[assistant] I did.\n"));
        Assert.That(tokenizer.EncodePrompt(tokenizer.ApplyChatTemplate(conversation)).Count(id => id == 0), Is.EqualTo(1), "BOS of the template is not doubled");
    }

    [Test]
    public void AFolderWithoutTokenizerSaysWhatIsMissing()
    {
        Assert.That(() => Tokenizer.Open(Path.Combine(_folder, "none")), Throws.InstanceOf<BadModelException>().With.Message.Contains("no such folder"));
        Assert.That(() => Tokenizer.Open(_folder), Throws.InstanceOf<BadModelException>().With.Message.Contains("tokenizer.json is missing"));
        WriteSmall();
        File.Delete(Path.Combine(_folder, "tokenizer_config.json"));
        Assert.That(() => Tokenizer.Open(_folder), Throws.InstanceOf<BadModelException>().With.Message.Contains("tokenizer_config.json is missing"));
    }

    [Test]
    public void DamagedFilesAreNamed()
    {
        WriteSmall();
        string path = Path.Combine(_folder, "tokenizer.json");
        string whole = File.ReadAllText(path);
        File.WriteAllText(path, whole[..(whole.Length / 2)]);
        Assert.That(() => Tokenizer.Open(_folder), Throws.InstanceOf<BadModelException>().With.Message.Contains("not valid JSON"));
        File.WriteAllText(path, """{ "model": {} }""");
        Assert.That(() => Tokenizer.Open(_folder), Throws.InstanceOf<BadModelException>().With.Message.Contains("not of the expected form"));
        File.WriteAllText(path, whole);
        Edit("tokenizer_config.json", "PreTrainedTokenizerFast", "NoSuchTokenizer");
        Assert.That(() => Tokenizer.Open(_folder), Throws.InstanceOf<BadModelException>().With.Message.Contains("GenAI"));
    }
}
