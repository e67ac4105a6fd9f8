using Rlhf.Core;
using Rlhf.Generation;
using Rlhf.Generation.Ort;

namespace Rlhf.Pipeline.Bench;

/// <summary>How much of the bare decoding loop is left when tokens are drawn and rows kept.</summary>
internal static class AgainstBareSteps
{
    public static void Run(RolloutBench bench, string name, PolicyFolder folder, OrtEngine engine, int batch)
    {
        if (!bench.Chosen(name)) return;
        SamplingOptions sampling = new() { MaxNewTokens = RolloutBench.NewTokens, BatchSize = batch };
        List<Prompt> prompts = RolloutBench.Prompts(batch, RolloutBench.PromptTokens, RolloutBench.PromptTokens, folder.VocabularySize);
        RateSamples ours = new(), bare = new(), decode = new();
        for (int repeat = -1; repeat < bench.Options.Repeats; repeat++)
        {
            ours.Take(repeat, () => engine.Generate(prompts, sampling, bench.Cancellation).Sum(r => (long)r.ResponseTokens.Length));
            decode.Add(repeat, ours.Last * ours.LastSeconds / (ours.LastSeconds - engine.Counts.PrefillSeconds) * (RolloutBench.NewTokens - 1) / RolloutBench.NewTokens);
            bare.Add(repeat, batch * (RolloutBench.NewTokens - 1) / engine.MeasureBareSteps(batch, RolloutBench.PromptTokens, RolloutBench.NewTokens).StepSeconds);
        }

        double share = decode.RatioTo(bare);
        bench.Rows.Add(new(name, "ort", batch, ours.Median, null, share, ours.CpuMilliseconds, ours.PeakMegabytes));
        bench.Rows.Add(new(name, "bare", batch, bare.Median, null, 1, 0, 0));
        bench.Number($"{name}, batch {batch}: decoding over the bare steps", share, "", .85);
    }
}
