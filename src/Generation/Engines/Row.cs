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

    /// <summary>[room; Count after <see cref="Trim"/>] ids, log-probs of the distribution drawn from, and of the policy.</summary>
    public int[] Tokens { get; private set; } = new int[room];

    public float[] Logprobs { get; private set; } = new float[room];

    public float[] PolicyLogprobs { get; private set; } = new float[room];

    public int Count { get; set; }

    /// <summary>Tokens whose keys and values are in the cache: all but the last one drawn.</summary>
    public int CacheLength { get; set; } = prompt.Tokens.Length;

    /// <summary>The response's text so far where stop strings need it.</summary>
    public IIncrementalDecoder? Text { get; } = text;

    public StopMatcher? Stop { get; init; }

    public FinishReason? Finished { get; set; }

    /// <summary>What the next step is given: the last token drawn, or the prompt's last where none is drawn yet.</summary>
    public int LastToken => Count == 0 ? Prompt.Tokens[^1] : Tokens[Count - 1];

    /// <summary>A response that is about to begin.</summary>
    public static Row Start(PreparedPrompt prompt, int sample, SamplingOptions options, PolicyFolder folder, ITextCodec? codec)
    {
        bool stops = options.StopStrings.Count > 0;
        int room = Math.Min(options.MaxNewTokens, folder.ContextLength - prompt.Tokens.Length);
        return new(prompt, sample, room, stops ? codec!.CreateDecoder() : null) { Stop = stops ? new StopMatcher(options.StopStrings) : null };
    }

    public void Add(Sampling.SampledToken drawn)
    {
        Tokens[Count] = drawn.Token;
        Logprobs[Count] = drawn.Logprob;
        PolicyLogprobs[Count++] = drawn.PolicyLogprob;
    }

    /// <summary>Of a finished response only what was drawn is kept: it may wait long for its turn, beside thousands of others.</summary>
    public void Trim()
    {
        if (Tokens.Length == Count) return;
        (Tokens, Logprobs, PolicyLogprobs) = (Tokens[..Count], Logprobs[..Count], PolicyLogprobs[..Count]);
    }

    /// <summary>The finished, trimmed response as a row of the rollout file.</summary>
    public Rollout ToRollout(SamplingOptions options, string engine, string policyHash, ITextCodec? codec) => new()
    {
        Iteration = options.Iteration,
        PromptId = Prompt.Source.Id,
        SampleId = Sample,
        Prompt = Prompt.Source.Text,
        Response = codec?.Decode(Tokens) ?? "",
        PromptTokens = Prompt.Tokens,
        ResponseTokens = Tokens,
        FinishReason = Finished!.Value,
        RolloutLogprobs = Logprobs,
        PolicyLogprobs = PolicyLogprobs,
        PolicyHash = policyHash,
        Engine = engine,
        Seed = (long)options.Seed,
        Temperature = options.Temperature,
        TopK = options.TopK,
        TopP = options.TopP,
        Metadata = Prompt.Source.Metadata,
    };
}
