using Microsoft.ML.OnnxRuntimeGenAI;
using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Generation.Beams;
using Rlhf.Generation.Ort;
using Rlhf.Generation.Tests.Ort;

namespace Rlhf.Generation.Tests.Beams;

public sealed class BeamSearchTests
{
    [TestCase(2, 1.0, true)]
    [TestCase(4, 1.0, true)]
    [TestCase(4, 0.0, false)]
    [TestCase(5, 2.0, false)]
    public void FindsTheSequencesOfGenAI(int beams, double lengthPenalty, bool earlyStopping)
    {
        // 13 tokens, one of them the end: hypotheses end all the time. stories260K: long ones that are cut.
        Compare(TestPolicies.Random(vocabulary: 13), Prompts.Mixed(12, 2, 12, 13), new() { Beams = beams, LengthPenalty = lengthPenalty, EarlyStopping = earlyStopping, MaxNewTokens = 20 });
        Compare(TestPolicies.Stories260K(), OrtEngineTests.Stories(8), new() { Beams = beams, LengthPenalty = lengthPenalty, EarlyStopping = earlyStopping, MaxNewTokens = 30 });
    }

    [Test]
    public void ManyBeamsFindTheBestSequenceThereIs()
    {
        // 12 living tokens, 2 steps, 16 beams: every first token survives, so the search is exhaustive.
        PolicyFolder folder = TestPolicies.Random(vocabulary: 13);
        using OrtEngine engine = new(folder, null, new OrtEngineOptions { Threads = 1 });
        int[] prompt = [1, 5, 7];
        BeamHypothesis best = engine.BeamSearch(new Prompt { Id = "a", Text = "", Tokens = prompt }, new() { Beams = 12, LengthPenalty = 0, MaxNewTokens = 2, EarlyStopping = false })[0];
        double expected = WholeSequence.Logprobs(folder, prompt, 1)[2][2]; // the end at once
        for (int first = 0; first < 13; first++)
        {
            if (first == 2) continue;
            double[][] logprobs = WholeSequence.Logprobs(folder, [.. prompt, first], 1);
            expected = Math.Max(expected, logprobs[2][first] + logprobs[3].Max());
        }

        Assert.That(best.SumLogprob, Is.EqualTo(expected).Within(1e-4));
    }

    /// <summary>Most of the best continuations may end; as many as there are beams go on all the same.</summary>
    [TestCase(2, true)]
    [TestCase(4, false)]
    [TestCase(7, true)]
    public void SeveralEndTokensLeaveEnoughBeams(int beams, bool earlyStopping)
    {
        PolicyFolder folder = TestPolicies.Random(vocabulary: 13) with { EndTokens = [2, 3, 5, 7, 11, 12] };
        BeamSearchOptions options = new() { Beams = beams, EarlyStopping = earlyStopping, MaxNewTokens = 12 };
        using OrtEngine engine = new(folder, null, new OrtEngineOptions { Threads = 1, Spinning = false });
        foreach (Prompt prompt in Prompts.Mixed(12, 2, 12, 13))
        {
            IReadOnlyList<BeamHypothesis> found = engine.BeamSearch(prompt, options);
            Assert.That(found, Has.Count.EqualTo(beams));
            Assert.That(found.SelectMany(h => h.Tokens).Intersect(folder.EndTokens), Is.Empty);
        }

        Assert.That(() => engine.BeamSearch(Prompts.OfLength(0, 3, 13), options with { Beams = 8 }),
            Throws.TypeOf<ConfigurationException>().With.Message.Contains("beams is 8").And.Message.Contains("has only 7 tokens that do not end a response (its vocabulary has 13)"));
    }

    /// <summary>Against the rules written down plainly: all continuations sorted, ends among the first `beams` taken, the first `beams` others live on.</summary>
    [Test]
    public void TheStateFollowsTheRulesWithAnyNumberOfEnds([Values(0, 1, 2, 5, 9)] int ends, [Values(2, 3, 4)] int beams)
    {
        const int Vocabulary = 13, PromptLength = 3;
        bool[] isEnd = [.. Enumerable.Range(0, Vocabulary).Select(t => t < ends)];
        BeamSearchOptions options = new() { Beams = beams, EarlyStopping = false, LengthPenalty = 1 };
        BeamState state = new(options, PromptLength, isEnd);
        List<(int[] Tokens, double Score)> living = [.. Enumerable.Repeat((Array.Empty<int>(), 0.0), beams)], ended = [];
        for (int step = 0; step < 6 && !state.Done; step++)
        {
            List<(int[] Tokens, double Score)> all = [];
            for (int beam = 0; beam < (step == 0 ? 1 : beams); beam++)
            {
                // Each logit from what the beam has said so far; ends are likely.
                uint said = (uint)living[beam].Tokens.Aggregate(step, (hash, token) => (hash * 31) + token + 1);
                float[] logits = [.. Enumerable.Range(0, Vocabulary).Select(t => (float)AddressedRandom.Normal(9, AddressedRandom.Stream.Probe, said, 0, (uint)t) + (isEnd[t] ? 1 : 0))];
                state.Offer(beam, logits);
                double sum = logits.Sum(l => Math.Exp(l));
                all.AddRange(logits.Select((l, t) => ((int[])[.. living[beam].Tokens, t], living[beam].Score + l - Math.Log(sum))));
            }

            state.Advance();
            all = [.. all.OrderByDescending(c => c.Score)];
            ended.AddRange(all.Take(beams).Where(c => isEnd[c.Tokens[^1]]).Select(c => (c.Tokens, c.Score / (PromptLength + c.Tokens.Length - 1))));
            living = [.. all.Where(c => !isEnd[c.Tokens[^1]]).Take(beams)];
            Assert.That(state.Responses, Is.EqualTo(living.Select(c => c.Tokens)));
        }

        // A living beam counts as it is where the search was not done.
        if (!state.Done) ended.AddRange(living.Select(c => (c.Tokens, c.Score / (PromptLength + c.Tokens.Length))));
        Assert.That(state.Finish().Select(h => h.EndToken is int end ? [.. h.Tokens, end] : h.Tokens), Is.EqualTo(ended.OrderByDescending(h => h.Score).Take(beams).Select(h => h.Tokens)));
    }

    [Test]
    public void BadOptionsAreToldAtOnce() => Assert.That(() => new BeamSearchOptions { Beams = 1, MaxNewTokens = 0 }.Check(),
        Throws.TypeOf<ConfigurationException>().With.Message.Contains("beams is 1").And.Message.Contains("max_new_tokens is 0"));

    private static void Compare(PolicyFolder folder, List<Prompt> prompts, BeamSearchOptions options)
    {
        using OrtEngine engine = new(folder, null, new OrtEngineOptions { Threads = 2, Spinning = false });
        using Model model = new(folder.Path);
        foreach (Prompt prompt in prompts)
        {
            using GeneratorParams parameters = new(model);
            parameters.SetSearchOption("num_beams", options.Beams);
            parameters.SetSearchOption("length_penalty", options.LengthPenalty);
            parameters.SetSearchOption("early_stopping", options.EarlyStopping);
            parameters.SetSearchOption("num_return_sequences", options.Beams);
            parameters.SetSearchOption("max_length", Math.Min(folder.ContextLength, prompt.Tokens!.Length + options.MaxNewTokens));
            using Generator generator = new(model, parameters);
            generator.AppendTokens(prompt.Tokens);
            while (!generator.IsDone()) generator.GenerateNextToken();
            IReadOnlyList<BeamHypothesis> found = engine.BeamSearch(prompt, options);
            Assert.That(found, Has.Count.EqualTo(options.Beams));
            Assert.That(found[0].Tokens, Is.EqualTo(generator.GetSequence(0)[prompt.Tokens.Length..].ToArray()), prompt.Id);
        }
    }
}
