namespace Rlhf.Models;

/// <summary>What sits on top of the trunk.</summary>
public enum ModelHead
{
    /// <summary>Logits over the vocabulary (a policy or a reference).</summary>
    LanguageModel,

    /// <summary>Logits and one value per token (policy and critic share the trunk).</summary>
    LanguageModelWithValue,

    /// <summary>One number per sequence (a reward model) or per token (a critic of its own).</summary>
    Scalar,
}

/// <summary>Which hidden states a reward model's score is taken from.</summary>
public enum RewardPooling
{
    /// <summary>The last real token.</summary>
    Last,

    /// <summary>The mean over the real tokens.</summary>
    Mean,
}
