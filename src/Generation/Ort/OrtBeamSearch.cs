using Microsoft.ML.OnnxRuntime;
using Rlhf.Core;
using Rlhf.Generation.Beams;

namespace Rlhf.Generation.Ort;

/// <summary>Beam search on a workspace: one row a beam; a beam that goes on from another one takes over its cache.</summary>
internal static class OrtBeamSearch
{
    /// <param name="work">As many rows as beams, and room for the prompt and its response.</param>
    /// <param name="prompt">What to continue.</param>
    /// <param name="options">Beams, length penalty and most new tokens; checked against the folder.</param>
    /// <param name="folder">The policy's vocabulary, end tokens and context.</param>
    /// <param name="cancellation">Stops between tokens.</param>
    /// <returns>As many hypotheses as beams, best first.</returns>
    public static IReadOnlyList<BeamHypothesis> Run(OrtWorkspace work, PreparedPrompt prompt, BeamSearchOptions options, PolicyFolder folder, CancellationToken cancellation)
    {
        int beams = options.Beams, length = prompt.Tokens.Length, room = Math.Min(options.MaxNewTokens, folder.ContextLength - length);
        BeamState state = new(options, length, folder.EndMask());
        try
        {
            work.Prefill.Run([prompt]);
            for (int beam = 0; beam < beams; beam++) work.Cache.Copy(work.Staging, beam, length);
            state.Offer(0, work.Prefill.Logits(0));
            state.Advance();
            for (int drawn = 1; drawn < room && !state.Done; drawn++)
            {
                cancellation.ThrowIfCancellationRequested();
                if (drawn > 1) Reorder(work, state.Parents, length + drawn - 1);
                for (int beam = 0; beam < beams; beam++) work.Batch.Set(beam, state.Responses[beam][^1], length + drawn);
                work.Batch.Run(beams);
                for (int beam = 0; beam < beams; beam++) state.Offer(beam, work.Batch.Logits(beam));
                state.Advance();
            }
        }
        catch (OnnxRuntimeException e)
        {
            throw new EngineException($"ONNX Runtime failed during beam search: {e.Message}", e);
        }

        return state.Finish();
    }

    /// <summary>Gives each beam the cache of the beam it came from, by way of the staging slots.</summary>
    private static void Reorder(OrtWorkspace work, int[] parents, int tokens)
    {
        for (int beam = 0; beam < parents.Length; beam++)
        {
            if (parents[beam] != beam) work.Cache.Copy(parents[beam], work.Staging + beam, tokens);
        }

        for (int beam = 0; beam < parents.Length; beam++)
        {
            if (parents[beam] != beam) work.Cache.Copy(work.Staging + beam, beam, tokens);
        }
    }
}
