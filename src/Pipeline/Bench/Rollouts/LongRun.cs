using Rlhf.Core;
using Rlhf.Generation;
using Rlhf.Generation.Ort;

namespace Rlhf.Pipeline.Bench;

/// <summary>Very many short responses in one process: memory must stay flat.</summary>
internal static class LongRun
{
    public static void Run(RolloutBench bench, string name, PolicyFolder folder)
    {
        if (!bench.Chosen(name) || bench.Options.LongRunResponses == 0) return;
        using OrtEngine engine = new(folder, null, bench.Engine);
        IEnumerable<Prompt> prompts = Enumerable.Range(0, bench.Options.LongRunResponses).Select(i => RolloutBench.One(i, 4 + (i % 5), folder.VocabularySize));
        long responses = 0;
        double early = 0, late = 0;
        int tenth = Math.Max(1, bench.Options.LongRunResponses / 10);
        foreach (Rollout rollout in engine.Generate(prompts, new SamplingOptions { MaxNewTokens = 4, BatchSize = 64 }, bench.Cancellation))
        {
            responses++;
            if (responses <= bench.Options.LongRunResponses / 5) early = Math.Max(early, ResidentMemoryEvery(responses));
            else late = Math.Max(late, ResidentMemoryEvery(responses));
            if (responses % tenth == 0) bench.LongRunMegabytes.Add(Math.Round(ResidentMemory.NowMegabytes(), 1));
        }

        bench.Number($"{name}: growth of resident memory after the first fifth of {responses} responses", late - early, "MB", 16, atMost: true);
    }

    private static double ResidentMemoryEvery(long count) => count % 500 == 0 ? ResidentMemory.NowMegabytes() : 0;
}
