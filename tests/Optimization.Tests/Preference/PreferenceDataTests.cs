using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Tokenization;
using Rlhf.Tokenization.Bpe;

namespace Rlhf.Optimization.Tests;

/// <summary>KTO's mismatched partners.</summary>
[NonParallelizable] // listens to warnings
public sealed class PreferenceDataTests : FolderTest
{
    private (List<PreferenceExample> Examples, string Told) Load(params string[] prompts)
    {
        BpeFolder.Write(new BpeModel(BpeModel.StandardSpecialTokens, []), At("model"));
        string data = Text("data.jsonl", string.Concat(prompts.Select((p, i) => $$"""{"prompt":"{{p}}","completion":"{{new string((char)('a' + i), 2)}}","label":true}""" + "\n")));
        var config = new PreferenceConfig
        {
            Method = PreferenceMethod.Kto, Model = At("model"), Data = [data], HeldOutFraction = 0, MaxLength = 32, PromptColumn = "prompt", CompletionColumn = "completion", LabelColumn = "label",
        };
        using Tokenizer tokenizer = Tokenizer.Open(At("model"));
        using var told = new StringWriter();
        Log.Writer = told;
        try
        {
            return (PreferenceData.Load(config, tokenizer, default).Training, told.ToString());
        }
        finally
        {
            Log.Writer = null;
        }
    }

    // The partner of each is the next one of another prompt, the first following the last.
    [TestCase("x x y y x", new[] { 2, 2, 4, 4, 2 })]
    [TestCase("x y z", new[] { 1, 2, 0 })]
    [TestCase("x x x y", new[] { 3, 3, 3, 0 })]
    [TestCase("y x x x", new[] { 1, 0, 0, 0 })]
    public void EveryPromptGetsTheNextResponseOfAnother(string prompts, int[] partners)
    {
        (List<PreferenceExample> examples, string told) = Load(prompts.Split(' '));
        for (int i = 0; i < partners.Length; i++)
        {
            TrainingSequence own = examples[i].Responses[0], other = examples[partners[i]].Responses[0], mismatched = examples[i].Mismatched!.Value;
            int[] expected = [.. own.Tokens.Span[..own.ResponseStart], .. other.Tokens.Span[other.ResponseStart..]];
            Assert.That((mismatched.Tokens.ToArray(), mismatched.ResponseStart), Is.EqualTo((expected, own.ResponseStart)));
        }

        Assert.That(told, Is.Empty);
    }

    [Test]
    public void WithoutPromptsTheNextResponseWillDo()
    {
        (List<PreferenceExample> examples, string told) = Load("", "", "");
        Assert.That(examples.Select(e => e.Mismatched!.Value.Tokens.ToArray()[^2]), Is.EqualTo(new[] { 1, 2, 0 }.Select(i => examples[i].Responses[0].Tokens.ToArray()[^2])));
        Assert.That(told, Is.Empty);
    }

    [Test]
    public void ASinglePromptIsTold()
    {
        (List<PreferenceExample> examples, string told) = Load("x", "x", "x");
        Assert.That(examples.Select(e => e.Mismatched), Is.All.Null);
        Assert.That(told, Does.StartWith("warning: KTO: the 3 preferences for training have a single prompt").And.Contains("stays 0"));
        Assert.That(told.Split("warning").Length, Is.EqualTo(2), "once");
    }
}
