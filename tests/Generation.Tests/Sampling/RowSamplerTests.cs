using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Generation.Sampling;

namespace Rlhf.Generation.Tests.Sampling;

public class RowSamplerTests
{
    // From lm-human-preferences' tests of take_top_k_logits and take_top_p_logits.
    private static readonly float[] Published = [1, 1.01f, 1.001f, 0, 0, 0, 2];

    /// <summary>float32 results of float64 sums of float32 exponentials; issue: 1e-5 against float64.</summary>
    private const double LogprobTolerance = 1e-5;

    [TestCase(1, 0b1000000)]
    [TestCase(2, 0b1000010)]
    [TestCase(3, 0b1000110)]
    [TestCase(4, 0b1000111)]
    [TestCase(5, 0b1111111)]
    public void TopKKeepsTiesOfTheKth(int k, int kept) => Assert.That(Support(Published, new SamplingOptions { TopK = k }), Is.EqualTo(kept));

    [TestCase(1, 0b1111111)]
    [TestCase(0, 0b1000000)]
    [TestCase(.5, 0b1000000)]
    [TestCase(.6, 0b1000010)]
    [TestCase(.7, 0b1000110)]
    public void TopPKeepsTheHeadWithinItsMass(double p, int kept) => Assert.That(Support(Published, new SamplingOptions { TopP = p }), Is.EqualTo(kept));

    [Test]
    public void GreedyTakesTheFirstOfTheLargest()
    {
        var sampler = new RowSampler(5, new SamplingOptions { Greedy = true }, []);
        SampledToken drawn = sampler.Sample((float[])[0, 3, 1, 3, -1], .5, 0, [], []);
        Assert.That(drawn.Token, Is.EqualTo(1));
        Assert.That(drawn.Logprob, Is.Zero);
        Assert.That(drawn.PolicyLogprob, Is.EqualTo(3 - Math.Log(1 + Math.E + (2 * Math.Exp(3)) + Math.Exp(-1))).Within(LogprobTolerance));
    }

    public static IEnumerable<TestCaseData> Options()
    {
        int[] sizes = [5, 16, 31, 512, 1024, 4097, 32000];
        foreach (int size in sizes)
        {
            yield return new TestCaseData(size, new SamplingOptions()).SetArgDisplayNames($"{size}, policy");
            yield return new TestCaseData(size, new SamplingOptions { Temperature = .6 }).SetArgDisplayNames($"{size}, temperature");
            yield return new TestCaseData(size, new SamplingOptions { TopK = 3 }).SetArgDisplayNames($"{size}, top-k 3");
            yield return new TestCaseData(size, new SamplingOptions { TopK = 400 }).SetArgDisplayNames($"{size}, top-k 400");
            yield return new TestCaseData(size, new SamplingOptions { TopP = .9 }).SetArgDisplayNames($"{size}, top-p .9");
            yield return new TestCaseData(size, new SamplingOptions { TopP = .3, Temperature = 1.3 }).SetArgDisplayNames($"{size}, top-p .3");
            yield return new TestCaseData(size, new SamplingOptions { MinP = .05 }).SetArgDisplayNames($"{size}, min-p");
            yield return new TestCaseData(size, new SamplingOptions { RepetitionPenalty = 1.3 }).SetArgDisplayNames($"{size}, repetition penalty");
            yield return new TestCaseData(size, new SamplingOptions { MinNewTokens = 4, ForbiddenTokens = [0, 3] }).SetArgDisplayNames($"{size}, forbidden");
            yield return new TestCaseData(size, new SamplingOptions { TopK = 50, TopP = .8, MinP = .01, RepetitionPenalty = 1.1, Temperature = .8, ForbiddenTokens = [1] }).SetArgDisplayNames($"{size}, all");
            yield return new TestCaseData(size, new SamplingOptions { Greedy = true, RepetitionPenalty = 2 }).SetArgDisplayNames($"{size}, greedy");
        }
    }

    [TestCaseSource(nameof(Options))]
    public void EqualsTheNaiveFloat64Sampler(int size, SamplingOptions options)
    {
        int[] eos = [2], prompt = [0, 4, 1, 4], response = [3, 1];
        var sampler = new RowSampler(size, options, eos);
        foreach (uint shape in size > 5000 ? (uint[])[1] : [0, 1, 2])
        {
            float[] logits = Logits(size, shape);
            float[] before = [.. logits];
            int[] forbidden = [.. options.ForbiddenTokens, .. options.MinNewTokens > response.Length ? eos : []];
            double[] drawnFrom = NaiveSampler.Distribution(logits, options, options.RepetitionPenalty != 1 ? [.. prompt, .. response] : [], forbidden);
            double[] policy = NaiveSampler.Softmax([.. logits.Select(v => (double)v)], options.Temperature);
            double[] cumulative = new double[size];
            for (int i = 0; i < size; i++) cumulative[i] = drawnFrom[i] + (i > 0 ? cumulative[i - 1] : 0);
            for (uint draw = 0; draw < 40; draw++)
            {
                double u = AddressedRandom.Uniform(7, AddressedRandom.Stream.Sampling, shape, draw);
                SampledToken token = sampler.Sample(logits, u, response.Length, prompt, response);
                Assert.That(drawnFrom[token.Token], Is.GreaterThan(0));

                // The uniform lies in the token's interval of the cumulative distribution, up to the rounding of float32 sums.
                Assert.That(u, Is.LessThan(cumulative[token.Token] + 1e-6));
                Assert.That(u, Is.GreaterThan(cumulative[token.Token] - drawnFrom[token.Token] - 1e-6));
                Assert.That(token.Logprob, Is.EqualTo(Math.Log(drawnFrom[token.Token])).Within(LogprobTolerance));
                Assert.That(token.PolicyLogprob, Is.EqualTo(Math.Log(policy[token.Token])).Within(LogprobTolerance));
                Assert.That(logits, Is.EqualTo(before));
            }
        }
    }

    public static IEnumerable<TestCaseData> Filters()
    {
        yield return new TestCaseData(new SamplingOptions()).SetArgDisplayNames("policy");
        yield return new TestCaseData(new SamplingOptions { Temperature = .7 }).SetArgDisplayNames("temperature");
        yield return new TestCaseData(new SamplingOptions { TopK = 40 }).SetArgDisplayNames("top-k");
        yield return new TestCaseData(new SamplingOptions { TopP = .8 }).SetArgDisplayNames("top-p");
        yield return new TestCaseData(new SamplingOptions { MinP = .1 }).SetArgDisplayNames("min-p");
        yield return new TestCaseData(new SamplingOptions { RepetitionPenalty = 1.5 }).SetArgDisplayNames("repetition penalty");
        yield return new TestCaseData(new SamplingOptions { MinNewTokens = 1, ForbiddenTokens = [5, 6, 7] }).SetArgDisplayNames("minimum new tokens, forbidden");
        yield return new TestCaseData(new SamplingOptions { TopK = 60, TopP = .9, MinP = .02, Temperature = 1.2 }).SetArgDisplayNames("together");
    }

    [TestCaseSource(nameof(Filters))]
    public void FrequenciesFollowTheDistribution(SamplingOptions options)
    {
        const int Size = 512, Draws = 200_000;
        int[] prompt = [9, 10, 11, 12];
        float[] logits = Logits(Size, 1);
        int[] forbidden = [.. options.ForbiddenTokens, .. options.MinNewTokens > 0 ? (int[])[2] : []];
        double[] p = NaiveSampler.Distribution(logits, options, options.RepetitionPenalty != 1 ? prompt : [], forbidden);
        var sampler = new RowSampler(Size, options, [2]);
        int[] counts = new int[Size];
        for (int draw = 0; draw < Draws; draw++)
        {
            double u = AddressedRandom.SamplingUniform(2024, 0, AddressedRandom.Key("chi"), draw, 0);
            counts[sampler.Sample(logits, u, 0, prompt, []).Token]++;
        }

        double pValue = ChiSquare.PValue(counts, p);
        TestContext.Out.WriteLine($"p = {pValue:F4}");
        Assert.That(pValue, Is.GreaterThan(.001));
    }

    [Test]
    public void ChiSquareTestFindsAWrongDistribution()
    {
        // The test above can fail: frequencies of temperature 1 against the distribution of temperature 1.03.
        float[] logits = Logits(512, 1);
        double[] wrong = NaiveSampler.Softmax([.. logits.Select(v => (double)v)], 1.03);
        var sampler = new RowSampler(512, new SamplingOptions(), []);
        int[] counts = new int[512];
        for (int draw = 0; draw < 200_000; draw++) counts[sampler.Sample(logits, AddressedRandom.SamplingUniform(2024, 0, 1, draw, 0), 0, [], []).Token]++;
        Assert.That(ChiSquare.PValue(counts, wrong), Is.LessThan(1e-6));
    }

    [Test]
    public void NotFiniteLogitsAreFound([Values(5, 40, 2000)] int size, [Values(float.NaN, float.PositiveInfinity)] float bad, [Values(0, 3)] int at)
    {
        float[] logits = Logits(size, 0);
        logits[at] = bad;
        Assert.That(() => new RowSampler(size, new SamplingOptions { Greedy = true }, []).Sample(logits, .5, 0, [], []), Throws.TypeOf<NumericalException>());
    }

    [Test]
    public void ForbiddingEverythingIsSaid()
    {
        var sampler = new RowSampler(2, new SamplingOptions { ForbiddenTokens = [0, 1] }, []);
        Assert.That(() => sampler.Sample((float[])[0, 0], .5, 0, [], []), Throws.TypeOf<NumericalException>().With.Message.Contains("No token is left"));
    }

    [Test]
    public void UniformsAtTheBordersDrawTokensThatCanBeDrawn()
    {
        var sampler = new RowSampler(40, new SamplingOptions { TopK = 2 }, []);
        float[] logits = new float[40];
        logits[7] = 5;
        logits[30] = 4;
        Assert.That(sampler.Sample(logits, double.Epsilon, 0, [], []).Token, Is.EqualTo(7));
        Assert.That(sampler.Sample(logits, Math.BitDecrement(1.0), 0, [], []).Token, Is.EqualTo(30));
    }

    [Test]
    public void DrawingAllocatesNothing([Values] bool filtered)
    {
        SamplingOptions options = filtered ? new() { TopK = 50, TopP = .9, RepetitionPenalty = 1.1, ForbiddenTokens = [4] } : new();
        var sampler = new RowSampler(4096, options, [2]);
        float[] logits = Logits(4096, 1);
        int[] prompt = [1, 2, 3];
        for (int i = 0; i < 100; i++) sampler.Sample(logits, .3, 0, prompt, []);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++) sampler.Sample(logits, .3, 0, prompt, []);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    [Test]
    public void AllProblemsOfTheOptionsAreToldAtOnce()
    {
        var options = new SamplingOptions { Temperature = 0, TopP = 2, MinNewTokens = 100, ForbiddenTokens = [600] };
        ConfigurationException found = Assert.Throws<ConfigurationException>(() => SamplingChecks.Check(options, 512))!;
        Assert.That(found.Problems, Has.Count.EqualTo(4));
        Assert.That(found.Problems[0], Is.EqualTo("min_new_tokens is 100; it must be from 0 to max_new_tokens (64)."));
    }

    /// <summary>Bit i is set when token i can be drawn.</summary>
    private static int Support(float[] logits, SamplingOptions options)
    {
        var sampler = new RowSampler(logits.Length, options, []);
        int support = 0;
        for (int i = 0; i < 2000; i++) support |= 1 << sampler.Sample(logits, (i + .5) / 2000, 0, [], []).Token;
        return support;
    }

    /// <summary>0: broad; 1: like a language model; 2: with ties and far-off values.</summary>
    private static float[] Logits(int size, uint shape)
    {
        float[] logits = new float[size];
        for (int i = 0; i < size; i++)
        {
            double normal = AddressedRandom.Normal(3, AddressedRandom.Stream.Probe, shape, (uint)i);
            logits[i] = shape switch { 0 => (float)normal, 1 => (float)(normal * 2.5), _ => (float)Math.Round(normal * 3) + (i % 97 == 5 ? -150 : 0) };
        }

        return logits;
    }
}
