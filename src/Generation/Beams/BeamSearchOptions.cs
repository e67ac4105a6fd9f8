using Rlhf.Core;

namespace Rlhf.Generation.Beams;

/// <summary>How beam search explores.</summary>
public sealed record BeamSearchOptions
{
    /// <summary>Hypotheses kept at once, 2 to 16.</summary>
    public int Beams { get; init; } = 4;

    /// <summary>Hypotheses given for a prompt, the best ones; at most as many as beams.</summary>
    public int Returned { get; init; } = 1;

    /// <summary>λ in score = Σ log p / lengthᵏ with k = λ; 0 favours short, above 1 long sequences.</summary>
    public double LengthPenalty { get; init; } = 1;

    /// <summary>True: ends when as many hypotheses have ended as there are beams. False: goes on while a better one can still come.</summary>
    public bool EarlyStopping { get; init; } = true;

    public int MaxNewTokens { get; init; } = 64;

    /// <param name="folder">The policy to be searched, where it is known.</param>
    /// <exception cref="ConfigurationException">A value is out of range, or the policy has too few tokens for so many beams.</exception>
    public void Check(PolicyFolder? folder = null)
    {
        List<string> problems = [];
        if (Beams is < 2 or > 16) problems.Add($"beams is {Beams}; it must be from 2 to 16.");
        if (Returned < 1 || Returned > Beams) problems.Add($"samples_per_prompt is {Returned}; with beam search it must be from 1 to beams ({Beams}).");
        if (!double.IsFinite(LengthPenalty)) problems.Add($"length_penalty is {LengthPenalty}; it must be a finite number.");
        if (MaxNewTokens < 1) problems.Add($"max_new_tokens is {MaxNewTokens}; it must be 1 or more.");
        // Even of a single sequence as many continuations must go on as there are beams.
        if (folder?.EndMask().Count(ends => !ends) is int living && living < Beams)
            problems.Add($"beams is {Beams}; {folder.Path} has only {living} tokens that do not end a response (its vocabulary has {folder.VocabularySize}), and each beam goes on with another one. Use fewer beams, or draw without them.");
        if (problems.Count > 0) throw new ConfigurationException(problems);
    }
}
