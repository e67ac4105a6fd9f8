namespace Rlhf.Scoring;

/// <summary>Which graph of a reward folder is opened.</summary>
public enum RewardModelUse
{
    /// <summary>One score a text, the fastest way; model.onnx where the folder is older than the graphs with a cache.</summary>
    Scores,

    /// <summary>Also a score for each token.</summary>
    TokenScores,

    /// <summary>model.onnx as ONNX Runtime opens it by itself, with its default options but for the number of threads; for comparison.</summary>
    PlainGraph,
}
