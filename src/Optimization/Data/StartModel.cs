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

    /// <summary>A scalar model: a language model's trunk with a new head, an existing reward model (which keeps its pooling), or a new model. As in Hugging Face, the head has no bias.</summary>
    public static LlamaModel Scalar(RewardModelConfig config, Tokenizer tokenizer)
    {
        TorchSharp.torch.Device device = TorchSharp.torch.device(config.Device);
        bool isNew = config.Model.Length == 0, isReward = !isNew && LlamaConfig.Load(config.Model).Head == ModelHead.Scalar;
        return isNew
            ? LlamaModel.Create(Scalar(Config(config.Architecture, tokenizer)), config.Seed, device)
            : LlamaModel.Load(config.Model, ModelHead.Scalar, device, Scalar, seed: config.Seed);

        LlamaConfig Scalar(LlamaConfig shape) => shape with
        {
            Head = ModelHead.Scalar,
            RewardPooling = isReward ? shape.RewardPooling : config.Pooling == "last" ? RewardPooling.Last : RewardPooling.Mean,
            RewardMaxLength = Math.Min(config.MaxLength, shape.MaxPositionEmbeddings),
            RewardTemperature = 1, // that of other weights; gain and bias are part of the score that is trained
        };
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
