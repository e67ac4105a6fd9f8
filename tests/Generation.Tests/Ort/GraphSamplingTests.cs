using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Generation.Ort;
using Rlhf.Generation.Tests.Sampling;

namespace Rlhf.Generation.Tests.Ort;

/// <summary>Tokens drawn in the graph (sampled.onnx), as on a device, computed on the CPU.</summary>
public sealed class GraphSamplingTests
{
    private static readonly OrtEngineOptions InGraph = new() { Threads = 2, Spinning = false, PrefillTokens = 64, SampleInGraph = true };

    [TestCase(61, 1.0)]
    [TestCase(61, 0.6)]
    [TestCase(512, 1.0)]
    public void FirstTokensFollowTheSoftmax(int vocabulary, double temperature)
    {
        const int Draws = 200_000;
        PolicyFolder folder = TestPolicies.Random(vocabulary);
        Prompt prompt = Prompts.OfLength(3, 7, vocabulary);
        using OrtEngine engine = new(folder, null, InGraph);
        int[] counts = new int[vocabulary];
        foreach (Rollout r in engine.Generate([prompt, prompt with { Id = "again" }], new SamplingOptions { SamplesPerPrompt = Draws / 2, MaxNewTokens = 1, BatchSize = 500, Temperature = temperature, Seed = 2024 })) counts[r.ResponseTokens[0]]++;
        double[] p = [.. WholeSequence.Logprobs(folder, prompt.Tokens!, temperature)[^1].Select(Math.Exp)];
        double pValue = ChiSquare.PValue(counts, p);
        TestContext.Out.WriteLine($"p = {pValue:F4}");
        Assert.That(pValue, Is.GreaterThan(.001));

        // The test can fail: another temperature is found out.
        double[] wrong = [.. WholeSequence.Logprobs(folder, prompt.Tokens!, temperature * 1.05)[^1].Select(Math.Exp)];
        Assert.That(ChiSquare.PValue(counts, wrong), Is.LessThan(1e-6));
    }

    [Test]
    public void TokensAndLogprobsAreThoseOfTheFormula()
    {
        PolicyFolder folder = TestPolicies.Stories260K();
        SamplingOptions options = new() { MaxNewTokens = 40, BatchSize = 8, SamplesPerPrompt = 2, Temperature = .8, Seed = 5, Iteration = 3 };
        using OrtEngine engine = new(folder, null, InGraph);
        int tokens = 0, different = 0;
        foreach (Rollout r in engine.Generate(OrtEngineTests.Stories(12), options))
        {
            double[][] logprobs = WholeSequence.Logprobs(folder, [.. r.PromptTokens, .. r.ResponseTokens], options.Temperature);
            for (int i = 0; i < r.ResponseTokens.Length; i++)
            {
                double[] at = logprobs[r.PromptTokens.Length - 1 + i];
                Assert.That(r.RolloutLogprobs[i], Is.EqualTo(at[r.ResponseTokens[i]]).Within(1e-4));
                Assert.That(r.PolicyLogprobs[i], Is.EqualTo(r.RolloutLogprobs[i]));
                ulong bits = AddressedRandom.SamplingBits(5, 3, AddressedRandom.Key(r.PromptId), r.SampleId, i);
                tokens++;
                if (Draw(at, (uint)bits, (uint)(bits >> 32)) != r.ResponseTokens[i]) different++;
            }
        }

        TestContext.Out.WriteLine($"{different} of {tokens} tokens differ");
        Assert.That(tokens, Is.GreaterThan(500));
        Assert.That(different, Is.LessThanOrEqualTo(1), "float32 scores may swap two that are nearly equal");
    }

    [Test]
    public void GreedyTokensAreTheOtherEnginesAndResponsesEndAsItsDo()
    {
        PolicyFolder folder = TestPolicies.Random(vocabulary: 13);
        List<Prompt> prompts = [.. Prompts.Mixed(60, 2, 30, 13), new Prompt { Id = "one", Text = "", Tokens = [1] }];
        SamplingOptions options = new() { Greedy = true, MaxNewTokens = 24, BatchSize = 8 };
        using OrtEngine inGraph = new(folder, null, InGraph), host = new(folder, null, InGraph with { SampleInGraph = false });
        List<Rollout> a = [.. inGraph.Generate(prompts, options)], b = [.. host.Generate(prompts, options)];
        Assert.That(a.Select(r => r.ResponseTokens), Is.EqualTo(b.Select(r => r.ResponseTokens)));
        Assert.That(a.Select(r => r.FinishReason), Is.EqualTo(b.Select(r => r.FinishReason)));
        Assert.That(a.SelectMany(r => r.RolloutLogprobs), Is.All.Zero);
        double worst = a.Zip(b).Max(pair => pair.First.PolicyLogprobs.Zip(pair.Second.PolicyLogprobs).Max(p => Math.Abs(p.First - p.Second)));
        Assert.That(worst, Is.LessThan(1e-4));
    }

    [Test]
    public void ADrawDependsOnItsAddressAlone()
    {
        PolicyFolder folder = TestPolicies.Stories260K();
        List<Prompt> prompts = OrtEngineTests.Stories(20);
        SamplingOptions options = new() { MaxNewTokens = 30, SamplesPerPrompt = 3, Seed = 8 };
        using OrtEngine engine = new(folder, null, InGraph);
        List<int[]> few = [.. engine.Generate(prompts, options with { BatchSize = 3 }).Select(r => r.ResponseTokens)];
        List<int[]> many = [.. engine.Generate(prompts, options with { BatchSize = 40 }).Select(r => r.ResponseTokens)];
        Assert.That(few.Zip(many).Count(pair => !pair.First.SequenceEqual(pair.Second)), Is.LessThanOrEqualTo(1), "rounding");
        int[] alone = engine.Generate([prompts[11]], options with { BatchSize = 2 }).First(r => r.SampleId == 2).ResponseTokens;
        Assert.That(alone, Is.EqualTo(few[(11 * 3) + 2]));
        Assert.That(engine.Generate(prompts, options with { Iteration = 1 }).Select(r => r.ResponseTokens), Is.Not.EqualTo(few));
    }

    [Test]
    public void SlotsGrowAndWeightsChangeAsInTheOtherEngine()
    {
        PolicyFolder folder = TestPolicies.Random(seed: 7);
        List<Prompt> prompts = [.. Enumerable.Range(0, 20).Select(i => Prompts.OfLength(i, i < 10 ? 4 : 60, 61))];
        SamplingOptions options = new() { MaxNewTokens = 20, SamplesPerPrompt = 3, BatchSize = 8 };
        using OrtEngine growing = new(folder, null, InGraph with { PromptWindow = 4 }), large = new(folder, null, InGraph);
        Assert.That(growing.Generate(prompts, options).Select(r => r.ResponseTokens), Is.EqualTo(large.Generate(prompts, options).Select(r => r.ResponseTokens)));
        using (HandOver handed = new(ArrayModel.Random(TestPolicies.SmallShape(), 8))) large.UpdateWeights(handed.Tensors, Task.FromResult("new"));
        using OrtEngine expected = new(TestPolicies.Random(seed: 8), null, InGraph);
        Assert.That(large.Generate(prompts, options).Select(r => r.ResponseTokens), Is.EqualTo(expected.Generate(prompts, options).Select(r => r.ResponseTokens)));
    }

    [Test]
    public void FiltersNeedLogits()
    {
        using OrtEngine engine = new(TestPolicies.Random(), null, InGraph);
        Assert.That(() => engine.Generate([], new SamplingOptions { TopK = 5 }), Throws.TypeOf<ConfigurationException>().With.Message.Contains("need the logits"));
    }

    /// <summary>The definition in float64.</summary>
    private static int Draw(double[] logprobs, uint low, uint high)
    {
        int best = -1;
        double most = double.NegativeInfinity;
        for (int token = 0; token < logprobs.Length; token++)
        {
            uint hash = Mix(Mix(((uint)token * 0x9E3779B1) + low) + high);
            double score = logprobs[token] - Math.Log(-Math.Log(1 - ((hash + .5) / 4294967296.0)));
            if (score > most) (most, best) = (score, token);
        }

        return best;
    }

    private static uint Mix(uint x)
    {
        x = (x ^ (x >> 16)) * 0x7FEB352D;
        x = (x ^ (x >> 15)) * 0x846CA68B;
        return x ^ (x >> 16);
    }
}
