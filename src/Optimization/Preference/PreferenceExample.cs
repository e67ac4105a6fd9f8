namespace Rlhf.Optimization;

/// <summary>One preference: a better and a worse response to a prompt, or (KTO) a single response with a thumb.</summary>
/// <param name="Responses">Chosen and rejected; or one response.</param>
/// <param name="Desirable">[responses] true = good.</param>
/// <param name="Prompt">Number of the prompt: equal prompts have equal numbers.</param>
/// <param name="Row">Row in the data, for messages.</param>
public sealed record PreferenceExample(TrainingSequence[] Responses, bool[] Desirable, int Prompt, long Row)
{
    /// <summary>True: chosen, then rejected.</summary>
    public bool IsPair => Responses.Length == 2;

    /// <summary>
    /// KTO only: this prompt with another prompt's response, whose log-ratio estimates the KL. The partner stays the same over the training, so the
    /// reference's log-probs of it are computed once.
    /// </summary>
    public TrainingSequence? Mismatched { get; set; }

    /// <summary>[responses] Σ_t log π_ref, nats; of <see cref="ReferenceLogProbs.Fill"/>.</summary>
    public double[] Reference { get; set; } = [];

    /// <summary>Σ_t log π_ref of <see cref="Mismatched"/>.</summary>
    public double MismatchedReference { get; set; }
}
