using Rlhf.Models;
using Rlhf.Tokenization.Bpe;

namespace Rlhf.Pipeline.Bench;

/// <summary>A policy of some thousand random weights with a tokenizer of its own: milliseconds a step, kilobytes on disk.</summary>
internal static class TinyModel
{
    private const int Vocabulary = 300, Context = 64;

    private static readonly string[] Sentences =
    [
        "the river turned slowly under the old bridge and the boats turned with it",
        "a good morning begins with warm bread and a quiet kitchen",
        "she loved the wonderful garden behind the house and the birds that sang there",
        "the mountain path was long but the view was beautiful and the air was clear",
    ];

    public static IReadOnlyList<string> Prompts { get; } = [.. Sentences.SelectMany(s => s.Split(' ')).Distinct(StringComparer.Ordinal)];

    /// <summary>Writes a Hugging Face folder.</summary>
    public static void Write(string folder, ModelHead head = ModelHead.LanguageModel)
    {
        BpeModel tokenizer = BpeTrainer.Train(Sentences, new BpeTrainerOptions(Vocabulary));
        var shape = new LlamaConfig
        {
            VocabSize = tokenizer.VocabularySize, HiddenSize = 32, IntermediateSize = 64, NumHiddenLayers = 2, NumAttentionHeads = 2, NumKeyValueHeads = 2, HeadDim = 16,
            MaxPositionEmbeddings = Context, BosTokenId = 0, EosTokenIds = [1], PadTokenId = 2, Head = head,
        };
        using (LlamaModel model = LlamaModel.Create(shape, seed: 7)) model.Save(folder);
        BpeFolder.Write(tokenizer, folder, Context);
    }
}
