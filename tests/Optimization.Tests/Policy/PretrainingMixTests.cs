using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Models;
using Rlhf.Tokenization.Bpe;

namespace Rlhf.Optimization.Tests;

public sealed class PretrainingMixTests : FolderTest
{
    /// <summary>A sequence of n predicted tokens is n inputs: as many as the policy has positions are the most.</summary>
    [TestCase(64, true)]
    [TestCase(65, false)]
    public void TextLongerThanThePositionsIsRefusedWhenTheSessionOpens(int length, bool fits)
    {
        var tokenizer = new BpeModel(BpeModel.StandardSpecialTokens, []);
        BpeFolder.Write(tokenizer, At("policy"));
        using (LlamaModel model = LlamaModel.Create(Tiny.Config with { VocabSize = tokenizer.VocabularySize, Head = ModelHead.LanguageModel }, 3)) model.Save(At("policy"));
        string text = Text("text.jsonl", $$"""{"text":"{{new string('a', 200)}}"}""" + "\n");
        RunConfig run = PolicyFixture.Configuration(m => m with { PtxCoefficient = 1, PtxData = [text], PtxLength = length }) with { Policy = At("policy") };
        if (fits) PolicySession.Open(run, null).Dispose();
        else Assert.That(() => PolicySession.Open(run, null), Throws.TypeOf<ConfigurationException>().With.Message.Contains("method.ptx_length is 65; the policy has 64 positions"));
    }
}
