using Rlhf.Core;
using Rlhf.Generation;
using Rlhf.Generation.GenAi;
using Rlhf.Generation.Ort;

namespace Rlhf.Pipeline.Bench;

/// <summary>Continuous batching where lengths differ.</summary>
internal static class MixedLengths
{
    /// <summary>Prompts of 8 to 64 tokens, responses that end by themselves or at 128, eight times as many as slots.</summary>
    public static void Run(RolloutBench bench, string name, int batch)
    {
        if (!bench.Chosen(name)) return;
        PolicyFolder folder = RolloutBenchModels.Export(RolloutBenchModels.LargeWithEnds, bench.Root, "ends", bench.Root);
        PolicyFolder plain = RolloutBenchModels.Export(RolloutBenchModels.Large, bench.Root, "plain", bench.Root);
        using OrtEngine engine = new(folder, null, bench.Engine), equalEngine = new(plain, null, bench.Engine);
        using GenAiBaseline genai = new(folder, bench.Options.GenAiThreads);
        SamplingOptions sampling = new() { MaxNewTokens = 128, BatchSize = batch };
        List<Prompt> prompts = RolloutBench.Prompts(8 * batch, 8, 64, folder.VocabularySize), equalPrompts = RolloutBench.Prompts(batch, RolloutBench.PromptTokens, RolloutBench.PromptTokens, folder.VocabularySize);
        int[][] few = [.. prompts.Take(batch).Select(p => p.Tokens!)];
        RateSamples ours = new(), theirs = new(), equal = new();
        double mean = 0;
        for (int repeat = -1; repeat < bench.Options.Repeats; repeat++)
        {
            ours.Take(repeat, () =>
            {
                long tokens = engine.Generate(prompts, sampling, bench.Cancellation).Sum(r => (long)r.ResponseTokens.Length);
                mean = (double)tokens / prompts.Count;
                return tokens;
            });
            equal.Take(repeat, () => equalEngine.Generate(equalPrompts, sampling with { MaxNewTokens = RolloutBench.NewTokens }, bench.Cancellation).Sum(r => (long)r.ResponseTokens.Length));
            theirs.Take(repeat, () => genai.Generate(few, repeat < 0 ? sampling with { MaxNewTokens = 4 } : sampling).Sum(r => (long)r.Length));
        }

        bench.Rows.Add(new(name, "ort", batch, ours.Median, ours.RatioTo(theirs), null, ours.CpuMilliseconds, ours.PeakMegabytes));
        bench.Rows.Add(new(name, "genai", batch, theirs.Median, 1, null, theirs.CpuMilliseconds, theirs.PeakMegabytes));
        bench.Rows.Add(new("equal lengths", "ort", batch, equal.Median, null, null, equal.CpuMilliseconds, equal.PeakMegabytes));
        bench.Number($"{name}, mean response", mean, "tokens", 0);
        bench.Number($"{name}: useful tokens/s over those of equal lengths", ours.RatioTo(equal), "", .75);
    }
}
