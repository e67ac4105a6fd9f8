using Microsoft.ML.OnnxRuntimeGenAI;
using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Generation.GenAi;
using Rlhf.Generation.Ort;

namespace Rlhf.Generation.Tests.Ort;

public sealed class OrtEngineTests
{
    private static readonly OrtEngineOptions TwoThreads = new() { Threads = 2, Spinning = false, PrefillTokens = 64 };

    [Test]
    public void GreedyIdsEqualGenAIsOwnOn200PromptsOfMixedLength()
    {
        PolicyFolder folder = TestPolicies.Stories260K();
        List<Prompt> prompts = Stories(200);
        SamplingOptions options = new() { Greedy = true, MaxNewTokens = 48, BatchSize = 32 };
        using OrtEngine engine = new(folder, null, TwoThreads);
        List<Rollout> found = [.. engine.Generate(prompts, options)];
        Assert.That(found.Select(r => r.PromptId), Is.EqualTo(prompts.Select(p => p.Id)));

        using Model model = new(folder.Path);
        int different = 0;
        foreach (Rollout rollout in found)
        {
            int[] expected = GenAiGreedy(model, folder, rollout.PromptTokens, options.MaxNewTokens);
            if (!rollout.ResponseTokens.SequenceEqual(expected)) different++;
        }

        Assert.That(different, Is.Zero);
    }

    [Test]
    public void BothEnginesDrawTheSameResponses()
    {
        PolicyFolder folder = TestPolicies.Stories260K();
        List<Prompt> prompts = Stories(30);
        SamplingOptions options = new() { MaxNewTokens = 40, BatchSize = 8, SamplesPerPrompt = 3, Seed = 11, Temperature = .9, TopP = .95 };
        using OrtEngine ort = new(folder, null, TwoThreads);
        using GenAiEngine genai = new(folder, null);
        List<Rollout> a = [.. ort.Generate(prompts, options)], b = [.. genai.Generate(prompts, options)];
        Assert.That(b.Select(r => (r.PromptId, r.SampleId)), Is.EqualTo(a.Select(r => (r.PromptId, r.SampleId))));
        AssertNearlyEqual(a, b);
        Assert.That(b[0].Engine, Is.EqualTo("genai"));
        Assert.That(a[0].Engine, Is.EqualTo("ort"));
        Assert.That(a[0].PolicyHash, Is.EqualTo(b[0].PolicyHash).And.Length.EqualTo(64));
    }

    /// <summary>GenAI's description has no number of threads; ours reaches its session, and the tokens stay.</summary>
    [Test]
    public void GenAITakesTheNumberOfThreads()
    {
        if (!Directory.Exists("/proc/self/task")) Assert.Ignore("skipped: threads are counted in /proc");
        PolicyFolder folder = TestPolicies.Random();
        SamplingOptions options = new() { MaxNewTokens = 12, BatchSize = 4 };
        List<Prompt> prompts = Prompts.Mixed(6, 2, 12, 61);
        int Threads() => Directory.GetDirectories("/proc/self/task").Length;
        (List<int[]>, int) Draw(int threads)
        {
            int before = Threads();
            using GenAiEngine engine = new(folder, null, threads: threads);
            int more = Threads() - before;
            return ([.. engine.Generate(prompts, options).Select(r => r.ResponseTokens)], more);
        }

        (List<int[]> chosen, _) = Draw(0);
        (List<int[]> one, int fewer) = Draw(1);
        (List<int[]> many, int more) = Draw(24);
        Assert.That(more - fewer, Is.InRange(12, 34), "23 workers beside the caller; others come and go");
        Assert.That(one, Is.EqualTo(chosen));
        Assert.That(many, Is.EqualTo(chosen));
    }

    [Test]
    public void BatchOf1AndOf64DrawTheSame()
    {
        PolicyFolder folder = TestPolicies.Stories260K();
        List<Prompt> prompts = Stories(40);
        SamplingOptions options = new() { MaxNewTokens = 60, SamplesPerPrompt = 2, Seed = 3 };
        using OrtEngine engine = new(folder, null, TwoThreads);
        List<Rollout> one = [.. engine.Generate(prompts, options with { BatchSize = 1 })];
        List<Rollout> many = [.. engine.Generate(prompts, options with { BatchSize = 64 })];
        AssertNearlyEqual(one, many);
    }

    [Test]
    public void TwoRunsGiveTheSameBits()
    {
        PolicyFolder folder = TestPolicies.Random();
        List<Prompt> prompts = Prompts.Mixed(70, 2, 40, folder.VocabularySize);
        SamplingOptions options = new() { MaxNewTokens = 30, SamplesPerPrompt = 2, BatchSize = 16 };
        using OrtEngine first = new(folder, null, TwoThreads), second = new(folder, null, TwoThreads);
        List<Rollout> a = [.. first.Generate(prompts, options)], b = [.. second.Generate(prompts, options)], again = [.. first.Generate(prompts, options)];
        AssertSameBits(a, b);
        AssertSameBits(a, again);
    }

    [Test]
    public void OneSampleIsDrawnAgainAlone()
    {
        PolicyFolder folder = TestPolicies.Stories260K();
        List<Prompt> prompts = Stories(20);
        SamplingOptions options = new() { MaxNewTokens = 40, SamplesPerPrompt = 4, BatchSize = 16, Seed = 99, Iteration = 6 };
        using OrtEngine engine = new(folder, null, TwoThreads);
        Rollout wanted = engine.Generate(prompts, options).First(r => r.PromptId == prompts[13].Id && r.SampleId == 2);
        Rollout alone = engine.Generate([prompts[13]], options).First(r => r.SampleId == 2);
        Assert.That(alone.ResponseTokens, Is.EqualTo(wanted.ResponseTokens));
        Rollout other = engine.Generate([prompts[13]], options with { Iteration = 7 }).First(r => r.SampleId == 2);
        Assert.That(other.ResponseTokens, Is.Not.EqualTo(wanted.ResponseTokens));
    }

    [Test]
    public void LogprobsAreThoseOfAForwardPassOverTheWholeSequence()
    {
        PolicyFolder folder = TestPolicies.Stories260K();
        SamplingOptions options = new() { MaxNewTokens = 50, BatchSize = 8, Temperature = .8, TopK = 40 };
        using OrtEngine engine = new(folder, null, TwoThreads);
        foreach (Rollout rollout in engine.Generate(Stories(12), options))
        {
            double[][] logprobs = WholeSequence.Logprobs(folder, [.. rollout.PromptTokens, .. rollout.ResponseTokens], options.Temperature);
            for (int i = 0; i < rollout.ResponseTokens.Length; i++)
            {
                double[] at = logprobs[rollout.PromptTokens.Length - 1 + i];
                Assert.That(rollout.PolicyLogprobs[i], Is.EqualTo(at[rollout.ResponseTokens[i]]).Within(1e-4));
                double kept = at.OrderDescending().Take(40).Sum(Math.Exp);
                Assert.That(rollout.RolloutLogprobs[i], Is.EqualTo(at[rollout.ResponseTokens[i]] - Math.Log(kept)).Within(1e-4));
            }
        }
    }

    [Test]
    public void APromptLongerThanOnePrefillGoesInPieces()
    {
        PolicyFolder folder = TestPolicies.Stories260K();
        List<Prompt> prompts = [Prompts.OfLength(0, 300, 512), Prompts.OfLength(1, 12, 512), Prompts.OfLength(2, 65, 512)];
        SamplingOptions options = new() { MaxNewTokens = 30, BatchSize = 2 };
        using OrtEngine pieces = new(folder, null, TwoThreads with { PrefillTokens = 32 }), whole = new(folder, null, TwoThreads with { PrefillTokens = 512 });
        AssertNearlyEqual([.. pieces.Generate(prompts, options)], [.. whole.Generate(prompts, options)]);
    }

    [Test]
    public void SlotsGrowWhenLongerPromptsCome()
    {
        PolicyFolder folder = TestPolicies.Stories260K();
        List<Prompt> prompts = [.. Enumerable.Range(0, 40).Select(i => Prompts.OfLength(i, i < 20 ? 5 : 200 + i, 512))];
        SamplingOptions options = new() { MaxNewTokens = 40, BatchSize = 8, SamplesPerPrompt = 3 };
        using OrtEngine small = new(folder, null, TwoThreads with { PromptWindow = 4 }), large = new(folder, null, TwoThreads);
        AssertNearlyEqual([.. small.Generate(prompts, options)], [.. large.Generate(prompts, options)]);
    }

    [Test]
    public void ResponsesEndAtTheContext()
    {
        PolicyFolder folder = TestPolicies.Random(context: 40);
        using OrtEngine engine = new(folder, null, TwoThreads);
        Rollout rollout = engine.Generate([Prompts.OfLength(0, 35, 61)], new SamplingOptions { MaxNewTokens = 20, ForbiddenTokens = [2] }).Single();
        Assert.That(rollout.ResponseTokens, Has.Length.EqualTo(5));
        Assert.That(rollout.FinishReason, Is.EqualTo(FinishReason.Length));
    }

    [Test]
    public void APromptThatFillsTheContextIsRefused([Values(40, 41)] int length)
    {
        using OrtEngine engine = new(TestPolicies.Random(context: 40), null, TwoThreads);
        Assert.That(() => engine.Generate([Prompts.OfLength(7, length, 61)], new SamplingOptions()).ToList(),
            Throws.TypeOf<BadDataException>().With.Message.EqualTo(
                $"Prompt 'p7' has {length} tokens; the model's context holds 40, response included. Shorten the prompt to 39 tokens or fewer, or use a model with a longer context."));
    }

    [Test]
    public void EndTokensEndResponsesButNotBeforeTheMinimum()
    {
        PolicyFolder folder = TestPolicies.Random(vocabulary: 13);
        List<Prompt> prompts = Prompts.Mixed(60, 2, 9, 13);
        using OrtEngine engine = new(folder, null, TwoThreads);
        List<Rollout> free = [.. engine.Generate(prompts, new SamplingOptions { MaxNewTokens = 30, BatchSize = 8 })];
        Assert.That(free.Count(r => r.FinishReason == FinishReason.Eos), Is.GreaterThan(10));
        foreach (Rollout r in free)
        {
            Assert.That(Array.IndexOf(r.ResponseTokens, 2), Is.EqualTo(r.FinishReason == FinishReason.Eos ? r.ResponseTokens.Length - 1 : -1));
            Assert.That(r.RolloutLogprobs, Has.Length.EqualTo(r.ResponseTokens.Length));
        }

        foreach (Rollout r in engine.Generate(prompts, new SamplingOptions { MaxNewTokens = 30, MinNewTokens = 12, BatchSize = 8 })) Assert.That(r.ResponseTokens, Has.Length.GreaterThanOrEqualTo(12));
    }

    [Test]
    public void SharedPrefillComputesAPromptOnce()
    {
        PolicyFolder folder = TestPolicies.Random();
        List<Prompt> prompts = [.. Enumerable.Range(0, 6).Select(i => Prompts.OfLength(i, 20, 61))];
        SamplingOptions options = new() { SamplesPerPrompt = 8, MaxNewTokens = 5, BatchSize = 16 };
        using OrtEngine engine = new(folder, null, TwoThreads);
        Assert.That(engine.Generate(prompts, options).Count(), Is.EqualTo(48));
        Assert.That(engine.Counts.PrefillTokens, Is.EqualTo(120));
        Assert.That(engine.Counts.Prefills, Is.EqualTo(6));
    }

    [Test]
    public void CancellationStopsTheEnumeration()
    {
        using CancellationTokenSource source = new();
        using OrtEngine engine = new(TestPolicies.Random(), null, TwoThreads);
        using IEnumerator<Rollout> rollouts = engine.Generate(Prompts.Mixed(100, 2, 20, 61), new SamplingOptions { BatchSize = 4 }, source.Token).GetEnumerator();
        Assert.That(rollouts.MoveNext());
        source.Cancel();
        Assert.That(() => { while (rollouts.MoveNext()) { } }, Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public void HandedOverWeightsAreTheOnesUsed()
    {
        PolicyFolder before = TestPolicies.Random(seed: 7), after = TestPolicies.Random(seed: 8);
        List<Prompt> prompts = Prompts.Mixed(20, 2, 20, 61);
        SamplingOptions options = new() { MaxNewTokens = 20, BatchSize = 8 };
        using OrtEngine engine = new(before, null, TwoThreads), expected = new(after, null, TwoThreads);
        List<Rollout> first = [.. engine.Generate(prompts, options)];
        using (HandOver handed = new(ArrayModel.Random(TestPolicies.SmallShape(), 8)))
        {
            engine.UpdateWeights(handed.Tensors, Task.FromResult(after.Hash()));
        }

        List<Rollout> second = [.. engine.Generate(prompts, options)];
        AssertSameBits([.. expected.Generate(prompts, options)], second);
        Assert.That(second[0].PolicyHash, Is.EqualTo(after.Hash()).And.Not.EqualTo(first[0].PolicyHash));
        Assert.That(second[0].ResponseTokens, Is.Not.EqualTo(first[0].ResponseTokens));

        // And back and forth: memory of earlier hand-overs is used again.
        foreach (ulong seed in (ulong[])[7, 8, 7])
        {
            using HandOver handed = new(ArrayModel.Random(TestPolicies.SmallShape(), seed));
            engine.UpdateWeights(handed.Tensors, Task.FromResult("again"));
            AssertSameBits(seed == 7 ? first : second, [.. engine.Generate(prompts, options)]);
        }
    }

    internal static List<Prompt> Stories(int count)
    {
        // Beginnings of the model's own text, so that its distributions are those it was trained for.
        int[] text = [.. WholeSequence.ReferenceIds()];
        return [.. Enumerable.Range(0, count).Select(i => new Prompt { Id = $"s{i}", Text = "", Tokens = [1, .. text.AsSpan(1 + (i * 7 % 150), i * 5 % 31)] })];
    }

    private static int[] GenAiGreedy(Model model, PolicyFolder folder, int[] prompt, int maxNewTokens)
    {
        using GeneratorParams parameters = new(model);
        parameters.SetSearchOption("do_sample", false);
        parameters.SetSearchOption("max_length", Math.Min(folder.ContextLength, prompt.Length + maxNewTokens));
        using Generator generator = new(model, parameters);
        generator.AppendTokens(prompt);
        while (!generator.IsDone()) generator.GenerateNextToken();
        return generator.GetSequence(0)[prompt.Length..].ToArray();
    }

    private static void AssertSameBits(List<Rollout> a, List<Rollout> b)
    {
        Assert.That(b, Has.Count.EqualTo(a.Count));
        for (int i = 0; i < a.Count; i++)
        {
            Assert.That(b[i].ResponseTokens, Is.EqualTo(a[i].ResponseTokens));
            Assert.That(b[i].RolloutLogprobs, Is.EqualTo(a[i].RolloutLogprobs));
            Assert.That(b[i].PolicyLogprobs, Is.EqualTo(a[i].PolicyLogprobs));
        }
    }

    /// <summary>At least 99.9 % of tokens equal up to the first difference of a row; where rows part, both tokens are within rounding of the uniform.</summary>
    private static void AssertNearlyEqual(List<Rollout> a, List<Rollout> b)
    {
        Assert.That(b, Has.Count.EqualTo(a.Count));
        int tokens = 0, different = 0;
        for (int i = 0; i < a.Count; i++)
        {
            int same = a[i].ResponseTokens.AsSpan().CommonPrefixLength(b[i].ResponseTokens);
            tokens += a[i].ResponseTokens.Length;
            different += a[i].ResponseTokens.Length - same;
            for (int t = 0; t < same; t++) Assert.That(b[i].RolloutLogprobs[t], Is.EqualTo(a[i].RolloutLogprobs[t]).Within(2e-4));
        }

        TestContext.Out.WriteLine($"{different} of {tokens} tokens differ");
        Assert.That(different, Is.LessThanOrEqualTo(tokens / 1000));
    }
}
