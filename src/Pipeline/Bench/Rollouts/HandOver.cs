using System.Diagnostics;
using System.Runtime.InteropServices;
using Rlhf.Core;
using Rlhf.Export;
using Rlhf.Generation;
using Rlhf.Generation.Ort;

namespace Rlhf.Pipeline.Bench;

/// <summary>New weights from the trainer's memory into the open engine.</summary>
internal static class HandOver
{
    public static void Run(RolloutBench bench, string name, PolicyFolder folder)
    {
        if (!bench.Chosen(name)) return;
        using OrtEngine engine = new(folder, null, bench.Engine);
        List<Prompt> prompts = RolloutBench.Prompts(1, 8, 8, folder.VocabularySize);
        SamplingOptions sampling = new() { MaxNewTokens = 1, BatchSize = 32 };
        RolloutBenchModels.RandomWeights weights = new(RolloutBenchModels.Large, seed: 2);
        List<(WeightTensor Tensor, SafeHandle Memory)> held = [.. WeightMap.ForPolicy(RolloutBenchModels.Large).Entries.Select(e => WeightTensor.Create(e.Initializer, e.Dimensions, to => e.Fill(weights, to)))];
        List<double> milliseconds = [];
        for (int repeat = -1; repeat < bench.Options.Repeats; repeat++)
        {
            long start = Stopwatch.GetTimestamp();
            engine.UpdateWeights([.. held.Select(h => h.Tensor)], Task.FromResult("bench"));
            _ = engine.Generate(prompts, sampling, bench.Cancellation).Count();
            if (repeat >= 0) milliseconds.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }

        held.ForEach(h => h.Memory.Dispose());
        bench.Number($"{name}: from the trainer's memory to the first token", RateSamples.MedianOf(milliseconds), "ms", 120, atMost: true);
    }
}
