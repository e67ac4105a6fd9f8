namespace Rlhf.Export;

/// <summary>What an exported folder holds beside model.onnx.</summary>
public sealed record ExportOptions
{
    /// <summary>rollout.onnx: the same decoder that computes logits of each row's last token only. Shares the data file.</summary>
    public bool Rollout { get; init; } = true;

    /// <summary>scorer.onnx: log-probabilities of given tokens. Shares the data file.</summary>
    public bool Scorer { get; init; } = true;

    /// <summary>scorer.onnx also gives the entropy at each row; 14 % slower with a vocabulary of 32000.</summary>
    public bool ScorerEntropy { get; init; }

    /// <summary>debug.onnx: model.onnx with the residual stream after every layer as further outputs. Shares the data file.</summary>
    public bool HiddenOutputs { get; init; }

    /// <summary>Reward models: free text about what the score means, kept in rlhf_config.json.</summary>
    public string Label { get; init; } = "reward";
}
