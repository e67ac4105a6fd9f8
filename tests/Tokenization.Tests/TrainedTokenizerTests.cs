using System.Globalization;
using System.Text;
using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Tokenization.Bpe;
using Rlhf.Tokenization.Text;

namespace Rlhf.Tokenization.Tests;

/// <summary>A tokenizer that we train, written to files, opened by GenAI: its ids are our merges', its text is our bytes.</summary>
public sealed class TrainedTokenizerTests
{
    private string _folder = "";
    private Tokenizer _tokenizer = null!;
    private NaiveBpe _naive = null!;
    private List<string> _reviews = [];

    [OneTimeSetUp]
    public void TrainOnReviews()
    {
        _reviews = TestData.Reviews(4000);
        _folder = Directory.CreateTempSubdirectory("rlhf-bpe-").FullName;
        BpeFolder.Write(BpeTrainer.Train(_reviews.Take(3000), new BpeTrainerOptions(2048)), _folder, contextLength: 512);
        _tokenizer = Tokenizer.Open(_folder);
        _naive = new NaiveBpe(_folder);
    }

    [OneTimeTearDown]
    public void CleanUp()
    {
        _tokenizer?.Dispose();
        if (_folder.Length > 0)
            Directory.Delete(_folder, recursive: true);
    }

    [Test]
    public void GenAIGivesOurMergesOnReviews()
    {
        // The last thousand were not trained on.
        foreach (string review in _reviews.Skip(2000))
            Assert.That(_tokenizer.Encode(review), Is.EqualTo(_naive.Encode(review)), review);
    }

    [TestCaseSource(typeof(TestData), nameof(TestData.Awkward))]
    public void GenAIGivesOurMergesOnAwkwardText(string text) => Assert.That(_tokenizer.Encode(text), Is.EqualTo(_naive.Encode(text)));

    [Test]
    public void EveryAssignedCodePointIsEncodedAsByOurMerges()
    {
        StringBuilder differing = new();
        for (int value = 1; value < 0x110000; value++)
        {
            if (CharUnicodeInfo.GetUnicodeCategory(value) is UnicodeCategory.Surrogate or UnicodeCategory.OtherNotAssigned or UnicodeCategory.PrivateUse)
                continue;
            // In the places that tell letters, numbers, spaces and the rest apart.
            string character = char.ConvertFromUtf32(value);
            string text = $"a{character}b {character}1 {character}?";
            if (!_tokenizer.Encode(text).AsSpan().SequenceEqual(_naive.Encode(text)))
                differing.Append($"U+{value:X4} ");
        }
        Assert.That(differing.ToString(), Is.Empty);
    }

    [Test]
    public void DecodingGivesTheTextBack()
    {
        foreach (string text in _reviews.Concat(TestData.Awkward))
            Assert.That(_tokenizer.Decode(_tokenizer.Encode(text)), Is.EqualTo(text));
    }

    [Test]
    public void DecodingAgreesWithGenAIOnPiecesOfText()
    {
        int compared = 0;
        foreach (string text in _reviews.Take(300).Concat(TestData.Awkward))
        {
            int[] ids = _tokenizer.Encode(text);
            ids = ids[(ids.Length / 3)..(ids.Length - ids.Length / 4)];
            string decoded = _tokenizer.Decode(ids);
            // GenAI ends its text at half a character; ours goes on after a replacement character.
            if (decoded.Contains('\ufffd', StringComparison.Ordinal))
                continue;
            Assert.That(decoded, Is.EqualTo(_tokenizer.DecodeByGenAI(ids)));
            compared++;
        }
        Assert.That(compared, Is.GreaterThan(300));
    }

    [TestCaseSource(typeof(TestData), nameof(TestData.Awkward))]
    public void StreamedTextIsTheWholeTextAndNeverHalfACharacter(string text)
    {
        TextStream stream = _tokenizer.CreateStream();
        StringBuilder streamed = new();
        foreach (int id in _tokenizer.Encode(text))
        {
            string part = stream.Append(id);
            streamed.Append(part);
            Assert.That(text, Does.StartWith(streamed.ToString()));
        }
        Assert.That(stream.Finish(), Is.Empty);
        Assert.That(streamed.ToString(), Is.EqualTo(text));
    }

    [Test]
    public void AnUnfinishedCharacterComesOutAtTheEnd()
    {
        int[] ids = _tokenizer.Encode("𝔘");
        Assert.That(ids, Has.Length.EqualTo(4), "four bytes, never merged");
        TextStream stream = _tokenizer.CreateStream();
        Assert.That(string.Concat(ids[..3].Select(stream.Append)), Is.Empty);
        Assert.That(stream.Finish(), Is.EqualTo("\ufffd"));
    }

    [Test]
    public void ByteZeroIsDecoded()
    {
        int[] ids = [_tokenizer.IdOf("a")!.Value, 3 + 0, _tokenizer.IdOf("b")!.Value];
        Assert.That(_tokenizer.Decode(ids), Is.EqualTo("a\0b"));
        Assert.That(_tokenizer.BytesOf(3).ToArray(), Is.EqualTo(new byte[] { 0 }));
    }

    [Test]
    public void SpecialTokensAreKnownAndLeftOutOfText()
    {
        Assert.That((_tokenizer.BosId, _tokenizer.EosIds[0], _tokenizer.PadId, _tokenizer.EosIds.Count), Is.EqualTo((0, 1, 2, 1)));
        Assert.That(_tokenizer.VocabularySize, Is.EqualTo(2048));
        Assert.That(_tokenizer.PieceOf(1), Is.EqualTo("<|eos|>"));
        Assert.That(_tokenizer.IsSpecial(2) && !_tokenizer.IsSpecial(3));
        int[] film = _tokenizer.Encode(" film");
        Assert.That(_tokenizer.Decode([0, .. film, 1, 2]), Is.EqualTo(" film"));
        Assert.That(_tokenizer.Encode(" film<|eos|>"), Is.EqualTo((int[])[.. film, 1]), "a special token written out is that token");
        Assert.That(_tokenizer.Decode([5000]), Is.Empty, "an id of the model that the tokenizer lacks");
    }

    [Test]
    public void PromptsBeginWithBosOnce()
    {
        int[] film = _tokenizer.Encode("film");
        Assert.That(_tokenizer.AddsBos);
        Assert.That(_tokenizer.EncodePrompt("film"), Is.EqualTo((int[])[0, .. film]));
        Assert.That(_tokenizer.EncodePrompt("<|bos|>film"), Is.EqualTo((int[])[0, .. film]));
        Assert.That(_tokenizer.EncodePrompt(""), Is.EqualTo((int[])[0]));
        Assert.That(_tokenizer.Encode(""), Is.Empty);
    }

    [Test]
    public void ThreadsMayEncodeTogether()
    {
        int[][] alone = [.. _reviews.Take(200).Select(_tokenizer.Encode)];
        Parallel.For(0, 2000, i => Assert.That(_tokenizer.Encode(_reviews[i % 200]), Is.EqualTo(alone[i % 200])));
    }

    [Test]
    public void WhatGenAICannotBeGivenIsReplaced() => Assert.That((int[][])[_tokenizer.Encode("ab\0c"), _tokenizer.Encode("ab\ud83cc")], Is.All.EqualTo(_tokenizer.Encode("ab\uFFFDc")));

    [Test]
    public void WithoutATemplateAConversationIsRefused() => Assert.That(
        () => _tokenizer.ApplyChatTemplate([new ChatMessage("user", "hi")]), Throws.InstanceOf<BadModelException>().With.Message.Contains("chat template"));

    [Test]
    public void TheFilesAreTheSameBytesEachTime()
    {
        string again = Directory.CreateTempSubdirectory("rlhf-bpe-").FullName;
        BpeFolder.Write(BpeTrainer.Train(_reviews.Take(3000), new BpeTrainerOptions(2048)), again, contextLength: 512);
        foreach (string name in BpeFolder.FileNames)
            Assert.That(File.ReadAllBytes(Path.Combine(again, name)), Is.EqualTo(File.ReadAllBytes(Path.Combine(_folder, name))), name);
        Directory.Delete(again, recursive: true);
    }
}
