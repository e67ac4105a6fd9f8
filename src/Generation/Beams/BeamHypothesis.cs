using Rlhf.Core;

namespace Rlhf.Generation.Beams;

/// <summary>One finished hypothesis.</summary>
/// <param name="Tokens">The response's ids, without the end token.</param>
/// <param name="Logprobs">Nats of each token under the policy, the end token's last where it ended by one.</param>
/// <param name="EndToken">The token that ended it; null where it was cut.</param>
/// <param name="SumLogprob">Σ log p of the response, the end token's included where it ended by one.</param>
/// <param name="Score">SumLogprob over (prompt and response length)^λ.</param>
public sealed record BeamHypothesis(int[] Tokens, float[] Logprobs, int? EndToken, double SumLogprob, double Score)
{
    /// <summary>
    /// As a row of the rollout file: sample_id is the rank, rollout_logprobs are 0 as for greedy (nothing is drawn), policy_logprobs those of the
    /// policy at temperature 1.
    /// </summary>
    internal Rollout ToRollout(PreparedPrompt prompt, int rank, int iteration, string engine, string policyHash, ITextCodec? codec)
    {
        int[] response = EndToken is int end ? [.. Tokens, end] : Tokens;
        return new Rollout
        {
            Iteration = iteration,
            PromptId = prompt.Source.Id,
            SampleId = rank,
            Prompt = prompt.Source.Text,
            Response = codec?.Decode(response) ?? "",
            PromptTokens = prompt.Tokens,
            ResponseTokens = response,
            FinishReason = EndToken is null ? FinishReason.Length : FinishReason.Eos,
            RolloutLogprobs = new float[response.Length],
            PolicyLogprobs = Logprobs,
            PolicyHash = policyHash,
            Engine = engine,
            Seed = 0,
            Temperature = 1,
            TopK = 0,
            TopP = 1,
            Metadata = prompt.Source.Metadata,
        };
    }
}
