using Rlhf.Core;

namespace Rlhf.Generation;

/// <summary>A prompt ready to be answered.</summary>
/// <param name="Index">Place among all prompts of the run.</param>
/// <param name="Source">As given.</param>
/// <param name="Key">Of its id, for the random address.</param>
/// <param name="Tokens">What the model is given.</param>
internal sealed record PreparedPrompt(long Index, Prompt Source, ulong Key, int[] Tokens);

/// <summary>One response in the making.</summary>
internal sealed class Row(PreparedPrompt prompt, int sample, int room, IIncrementalDecoder? text)
{
    public PreparedPrompt Prompt { get; } = prompt;

    public int Sample { get; } = sample;

    /// <summary>[Count] ids, log-probs of the distribution drawn from, and of the policy.</summary>
    public int[] Tokens { get; } = new int[room];

    public float[] Logprobs { get; } = new float[room];

    public float[] PolicyLogprobs { get; } = new float[room];

    public int Count { get; set; }

    /// <summary>Tokens whose keys and values are in the cache: all but the last one drawn.</summary>
    public int CacheLength { get; set; } = prompt.Tokens.Length;

    /// <summary>The response's text so far where stop strings need it.</summary>
    public IIncrementalDecoder? Text { get; } = text;

    public StopMatcher? Stop { get; init; }

    public FinishReason? Finished { get; set; }

    public int LastToken => Tokens[Count - 1];

    public void Add(Sampling.SampledToken drawn)
    {
        Tokens[Count] = drawn.Token;
        Logprobs[Count] = drawn.Logprob;
        PolicyLogprobs[Count++] = drawn.PolicyLogprob;
    }
}
