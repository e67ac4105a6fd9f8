using Rlhf.Core;
using Rlhf.Generation;
using Rlhf.Generation.Ort;

namespace Rlhf.Pipeline.Bench;

/// <summary>A prompt computed once for several responses.</summary>
internal static class SharedPrefill
{
    public static void Run(RolloutBench bench, string name, PolicyFolder folder)
    {
        if (!bench.Chosen(name)) return;
        SamplingOptions sampling = new() { MaxNewTokens = 2, BatchSize = 32, SamplesPerPrompt = 8 };
        List<Prompt> prompts = RolloutBench.Prompts(8, 256, 256, folder.VocabularySize);
        using OrtEngine shared = new(folder, null, bench.Engine), alone = new(folder, null, bench.Engine with { SharePrefill = false });
        List<double> ratios = [];
        for (int repeat = -1; repeat < bench.Options.Repeats; repeat++)
        {
            foreach (OrtEngine engine in (OrtEngine[])[shared, alone]) _ = engine.Generate(prompts, sampling, bench.Cancellation).Count();
            if (repeat >= 0) ratios.Add(alone.Counts.PrefillSeconds / shared.Counts.PrefillSeconds);
        }

        bench.Number($"{name}: prefill without over with sharing", RateSamples.MedianOf(ratios), "×", 5);
    }
}
