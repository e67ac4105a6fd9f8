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
