using Rlhf.Core;
using Rlhf.Models;

namespace Rlhf.Export;

/// <summary>A torch model's weights as the exporter reads them; float32 on the CPU without a copy, else one parameter at a time.</summary>
public sealed class LlamaWeights : IModelWeights
{
    private readonly LlamaModel _model;
    private float[] _buffer = [];

    /// <param name="model">On any device.</param>
    public LlamaWeights(LlamaModel model)
    {
        _model = model;
        Shape = ShapeOf(model.Config);
    }

    /// <inheritdoc/>
    public ModelShape Shape { get; }

    /// <inheritdoc/>
    public ReadOnlySpan<float> Get(string name) => _model.Parameters.Contains(name)
        ? _model.Parameters.Host(name, ref _buffer)
        : throw new BadModelException($"The model has no parameter '{name}', which its ONNX graph needs.");

    /// <summary>The exporter's description of a configuration.</summary>
    public static ModelShape ShapeOf(LlamaConfig config) => new()
    {
        VocabularySize = config.VocabSize,
        HiddenSize = config.HiddenSize,
        IntermediateSize = config.IntermediateSize,
        Layers = config.NumHiddenLayers,
        Heads = config.NumAttentionHeads,
        KeyValueHeads = config.NumKeyValueHeads,
        HeadSize = config.HeadDim,
        MaxPositions = config.MaxPositionEmbeddings,
        RopeTheta = config.RopeTheta,
        NormEpsilon = config.RmsNormEps,
        TiedHead = config.TieWordEmbeddings,
        QueryKeyValueBias = config.AttentionBias,
        OutputBias = config.AttentionOutputBias,
        ScoreBias = config.ScoreBias,
        Pooling = config.RewardPooling == RewardPooling.Last ? ScorePooling.Last : ScorePooling.Mean,
        RewardGain = config.RewardGain,
        RewardBias = config.RewardBias,
        RewardTemperature = config.RewardTemperature,
        RewardMaxLength = config.RewardMaxLength,
        BosTokenId = config.BosTokenId,
        EosTokenIds = config.EosTokenIds,
        PadTokenId = config.PadTokenId,
    };
}
