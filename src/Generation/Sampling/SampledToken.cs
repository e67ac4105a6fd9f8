namespace Rlhf.Generation.Sampling;

/// <summary>One drawn token.</summary>
/// <param name="Token">Its id.</param>
/// <param name="Logprob">Nats, under the distribution it was drawn from (after temperature, penalties and filters; 0 for greedy).</param>
/// <param name="PolicyLogprob">Nats, under the unfiltered policy at the same temperature.</param>
public readonly record struct SampledToken(int Token, float Logprob, float PolicyLogprob);
