using System.Text.Json;
using System.Text.Json.Nodes;
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

    /// <summary>Given to GenAI, they would end the process.</summary>
    [TestCase("\"chat_template\": [{\"name\": \"default\", \"template\": \"{{ bos_token }}\"}, {\"name\": \"tools\", \"template\": \"x\"}],", "chat_template is a list of templates with names; ONNX Runtime GenAI takes one.")]
    [TestCase("\"chat_template\": null,", "chat_template must be text (or left out); found null")]
    [TestCase("\"chat_template\": \"\\ud800\",", "a text holds half of a surrogate pair")]
    [TestCase("\"\\uDC00\": 1,", "a text holds half of a surrogate pair")]
    [TestCase("\"note\": [\"\\ud83d\"],", "a text holds half of a surrogate pair")]
    public void WhatTheNativeTokenizerDiesOfIsRefused(string line, string expected)
    {
        WriteSmall();
        Edit("tokenizer_config.json", "\"add_eos_token\"", line + " \"add_eos_token\"");
        string file = Path.Combine(_folder, "tokenizer_config.json");
        Assert.That(() => Tokenizer.Open(_folder), Throws.InstanceOf<BadModelException>().With.Message.StartsWith($"{file}: {expected}"));
    }

    /// <summary>Both halves are a character.</summary>
    [Test]
    public void EscapedSurrogatePairsAreCharacters()
    {
        WriteSmall();
        Edit("tokenizer_config.json", "\"add_eos_token\"", "\"note\": \"\\ud83d\\ude42\", \"add_eos_token\"");
        using Tokenizer tokenizer = Tokenizer.Open(_folder);
        Assert.That(tokenizer.Encode("hello"), Is.Not.Empty);
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

    /// <summary>Valid JSON that lacks what is read of it: named with its file and key.</summary>
    [TestCase("decoder", "{}", "decoder must be an object with 'type'; found {}")]
    [TestCase("decoder", """{"type": "Sequence"}""", "decoder must be an object with 'decoders'")]
    [TestCase("decoder", """{"type": "Sequence", "decoders": [{}]}""", "decoder.decoders must be an object with 'type'")]
    [TestCase("decoder", """{"type": "Sequence", "decoders": [{"type": "Replace", "content": " "}]}""", "decoder.decoders must be an object with 'pattern'")]
    [TestCase("decoder", """{"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}}]}""", "decoder.decoders must be an object with 'content'")]
    [TestCase("post_processor", "{}", "post_processor must be an object with 'type'")]
    [TestCase("post_processor", """{"type": "Sequence"}""", "post_processor must be an object with 'processors'")]
    [TestCase("post_processor", """{"type": "TemplateProcessing"}""", "post_processor must be an object with 'single'")]
    [TestCase("post_processor", """{"type": "TemplateProcessing", "single": []}""", "post_processor.single must be a list that is not empty; found []")]
    [TestCase("post_processor", """{"type": "Sequence", "processors": [{"type": "TemplateProcessing", "single": [{"SpecialToken": {}}]}]}""", "post_processor.processors.single.SpecialToken must be an object with 'id'")]
    public void PartsThatLackWhatIsReadAreNamed(string key, string part, string expected)
    {
        WriteSmall();
        Edit("tokenizer_config.json", "\"add_bos_token\": true,", "");
        string path = Path.Combine(_folder, "tokenizer.json");
        JsonNode root = JsonNode.Parse(File.ReadAllText(path))!;
        root[key] = JsonNode.Parse(part);
        File.WriteAllText(path, root.ToJsonString());
        Assert.That(() => Tokenizer.Open(_folder), Throws.InstanceOf<BadModelException>().With.Message.StartsWith($"{path}: {expected}"));
    }

    [TestCase("config.json", "{ \"bos_token_id\": -1 }", "bos_token_id holds -1; expected a token id from 0 to 261")]
    [TestCase("config.json", "{ \"bos_token_id\": 262 }", "bos_token_id holds 262; expected a token id from 0 to 261")]
    [TestCase("generation_config.json", "{ \"eos_token_id\": [1, -1] }", "eos_token_id holds -1; expected a token id from 0")]
    [TestCase("generation_config.json", "{ \"eos_token_id\": 1e99 }", "eos_token_id holds 1e99; expected")]
    [TestCase("config.json", "{ \"pad_token_id\": [\"2\"] }", "pad_token_id holds \"2\"; expected")]
    public void SpecialIdsThatAreNoneAreNamed(string file, string content, string expected)
    {
        WriteSmall();
        File.WriteAllText(Path.Combine(_folder, file), content);
        foreach (string config in (string[])["\"add_bos_token\": true,", ""])
        {
            Assert.That(() => Tokenizer.Open(_folder), Throws.InstanceOf<BadModelException>().With.Message.StartsWith($"{Path.Combine(_folder, file)}: {expected}"));
            if (config.Length > 0) Edit("tokenizer_config.json", config, "");
        }
    }

    [Test]
    public void OlderModelsWriteMinusOneForNoPadding()
    {
        WriteSmall();
        File.WriteAllText(Path.Combine(_folder, "config.json"), """{ "pad_token_id": -1 }""");
        using Tokenizer tokenizer = Tokenizer.Open(_folder);
        Assert.That(tokenizer.PadId, Is.Null);
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
