using Rlhf.Core;
using Rlhf.Models;
using Rlhf.Tokenization;

namespace Rlhf.Optimization;

/// <summary>The model that training starts from: a folder, or a new one of the configured shape.</summary>
public static class StartModel
{
    /// <summary>The folder whose tokenizer is used: the one named, else the model's.</summary>
    /// <exception cref="ConfigurationException">Neither is named.</exception>
    public static string TokenizerFolder(string tokenizer, string model) =>
        tokenizer.Length > 0 ? tokenizer
        : model.Length > 0 ? model
        : throw new ConfigurationException("tokenizer: name the folder that has tokenizer.json, or a model to start from.");

    public static LlamaModel LanguageModel(string folder, ArchitectureConfig architecture, Tokenizer tokenizer, ulong seed, string device) =>
        folder.Length > 0
            ? LlamaModel.Load(folder, ModelHead.LanguageModel, TorchSharp.torch.device(device))
            : LlamaModel.Create(Config(architecture, tokenizer), seed, TorchSharp.torch.device(device));

    /// <summary>A scalar model: a language model's trunk with a new head, an existing reward model, or a new model.</summary>
    public static LlamaModel Scalar(RewardModelConfig config, Tokenizer tokenizer)
    {
        TorchSharp.torch.Device device = TorchSharp.torch.device(config.Device);
        RewardPooling pooling = config.Pooling == "last" ? RewardPooling.Last : RewardPooling.Mean;
        if (config.Model.Length == 0)
        {
            LlamaConfig shape = Config(config.Architecture, tokenizer) with { Head = ModelHead.Scalar, RewardPooling = pooling, ScoreBias = true };
            return LlamaModel.Create(shape, config.Seed, device);
        }

        return LlamaModel.Load(config.Model, ModelHead.Scalar, device, c => c.Head == ModelHead.Scalar ? c : c with { Head = ModelHead.Scalar, RewardPooling = pooling, ScoreBias = true });
    }

    private static LlamaConfig Config(ArchitectureConfig a, Tokenizer tokenizer) => new LlamaConfig
    {
        VocabSize = tokenizer.VocabularySize,
        HiddenSize = a.HiddenSize,
        IntermediateSize = a.IntermediateSize,
        NumHiddenLayers = a.Layers,
        NumAttentionHeads = a.Heads,
        NumKeyValueHeads = a.KeyValueHeads,
        HeadDim = a.HiddenSize / a.Heads,
        MaxPositionEmbeddings = a.MaxPositions,
        RopeTheta = a.RopeTheta,
        TieWordEmbeddings = a.TieWordEmbeddings,
        BosTokenId = tokenizer.BosId,
        EosTokenIds = tokenizer.EosIds,
        PadTokenId = tokenizer.PadId,
    }.Validated("architecture");
}
