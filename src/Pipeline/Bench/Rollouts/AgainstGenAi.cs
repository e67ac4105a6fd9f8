using Rlhf.Core;
using Rlhf.Generation;
using Rlhf.Generation.GenAi;
using Rlhf.Generation.Ort;

namespace Rlhf.Pipeline.Bench;

/// <summary>Our engine, GenAI and the bare steps on one batch of equal prompts and responses.</summary>
internal static class AgainstGenAi
{
    public static void Run(RolloutBench bench, string name, PolicyFolder folder, OrtEngine engine, GenAiBaseline genai, int batch, bool greedy, double required)
    {
        if (!bench.Chosen(name)) return;
        SamplingOptions sampling = new() { MaxNewTokens = RolloutBench.NewTokens, BatchSize = batch, Greedy = greedy };
        List<Prompt> prompts = RolloutBench.Prompts(batch, RolloutBench.PromptTokens, RolloutBench.PromptTokens, folder.VocabularySize);
        int[][] ids = [.. prompts.Select(p => p.Tokens!)];
        RateSamples ours = new(), theirs = new(), bare = new(), decode = new();
        for (int repeat = -1; repeat < bench.Options.Repeats; repeat++)
        {
            ours.Take(repeat, () => engine.Generate(prompts, sampling, bench.Cancellation).Sum(r => (long)r.ResponseTokens.Length));
            decode.Add(repeat, ours.Last * ours.LastSeconds / (ours.LastSeconds - engine.Counts.PrefillSeconds) * (RolloutBench.NewTokens - 1) / RolloutBench.NewTokens);
            bare.Add(repeat, batch * (RolloutBench.NewTokens - 1) / engine.MeasureBareSteps(batch, RolloutBench.PromptTokens, RolloutBench.NewTokens).StepSeconds);
            // GenAI's warm-up is shorter: it is slow and has nothing to compile.
            theirs.Take(repeat, () => genai.Generate(ids, repeat < 0 ? sampling with { MaxNewTokens = 4 } : sampling).Sum(r => (long)r.Length));
        }

        double ratio = ours.RatioTo(theirs);
        bench.Rows.Add(new(name, "ort", batch, ours.Median, ratio, decode.RatioTo(bare), ours.CpuMilliseconds, ours.PeakMegabytes));
        bench.Rows.Add(new(name, "genai", batch, theirs.Median, 1, null, theirs.CpuMilliseconds, theirs.PeakMegabytes));
        bench.Rows.Add(new(name, "bare", batch, bare.Median, null, 1, 0, 0));
        bench.Number($"{name}, batch {batch}: ratio to GenAI", ratio, "×", required);
        bench.Number($"{name}, batch {batch}: GenAI's processor time a token over ours", theirs.CpuRatioTo(ours), "×", 0);
    }
}
