using System.Diagnostics;
using Rlhf.Core;

namespace Rlhf.Generation.Ort;

/// <summary>
/// The bound of any engine on a model: the same session, slots and bindings, but no scheduling and no sampling; every row is given the same token
/// again and again. For benchmarks.
/// </summary>
internal static class BareSteps
{
    /// <param name="work">Slots for the rows.</param>
    /// <param name="vocabularySize">Of the model.</param>
    /// <param name="promptTokens">Tokens in the cache at the start.</param>
    /// <param name="newTokens">Tokens a row: the first comes with the prompt, each other one from a step.</param>
    /// <returns>Seconds of the prompts and of all steps.</returns>
    public static (double PrefillSeconds, double StepSeconds) Measure(OrtWorkspace work, int vocabularySize, int promptTokens, int newTokens)
    {
        int rows = work.Rows;
        int[] tokens = new int[promptTokens];
        for (int i = 0; i < tokens.Length; i++) tokens[i] = i % vocabularySize;
        PreparedPrompt prompt = new(0, new Prompt { Id = "bare", Text = "" }, 0, tokens);
        long start = Stopwatch.GetTimestamp();
        for (int slot = 0; slot < rows;)
        {
            List<PreparedPrompt> staged = [];
            while (slot + staged.Count < rows && work.Prefill.Fits(staged.Count, promptTokens)) staged.Add(prompt);
            work.Prefill.Run(staged);
            for (int i = 0; i < staged.Count; i++) work.Cache.Copy(work.Staging + i, slot++, promptTokens);
        }

        double prefill = Stopwatch.GetElapsedTime(start).TotalSeconds;
        start = Stopwatch.GetTimestamp();
        for (int step = 1; step < newTokens; step++)
        {
            for (int slot = 0; slot < rows; slot++) work.Batch.Set(slot, 1, promptTokens + step);
            work.Batch.Run(rows);
        }

        return (prefill, Stopwatch.GetElapsedTime(start).TotalSeconds);
    }
}
