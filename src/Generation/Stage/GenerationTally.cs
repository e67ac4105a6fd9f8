using System.Diagnostics;
using Rlhf.Core;

namespace Rlhf.Generation;

/// <summary>Counts rows as they come.</summary>
internal sealed class GenerationTally
{
    private readonly long _start = Stopwatch.GetTimestamp();
    private long _responses, _tokens, _eos, _length;

    public void Add(Rollout rollout)
    {
        _responses++;
        _tokens += rollout.ResponseTokens.Length;
        if (rollout.FinishReason == FinishReason.Eos) _eos++;
        if (rollout.FinishReason == FinishReason.Length) _length++;
    }

    /// <param name="perPrompt">Responses a prompt.</param>
    /// <param name="kept">Tokens that an earlier process drew.</param>
    /// <param name="policyHash">Of the weights.</param>
    public GenerationSummary Summary(int perPrompt, long kept, string policyHash)
    {
        double all = Math.Max(1, _responses);
        return new GenerationSummary(_responses / perPrompt, _responses, _tokens, Stopwatch.GetElapsedTime(_start).TotalSeconds, _eos / all, _length / all, policyHash) { KeptTokens = kept };
    }
}
