using Microsoft.ML.OnnxRuntimeGenAI;
using Rlhf.Core;
using Rlhf.Generation;
using Rlhf.Generation.Ort;
using Rlhf.Optimization;
using Rlhf.Trajectories;

namespace Rlhf.Pipeline.Tests;

/// <summary>The shipped policy through our engine and through the engine that deploys it.</summary>
public sealed class ShippedPolicyTests
{
    private const int NewTokens = 12;

    [Test]
    public void GreedyIdsEqualGenAIsOwnOn200PromptsOfMixedLength()
    {
        string root = Checkout.Root, folder = Directory.CreateTempSubdirectory("rlhf-shipped-").FullName;
        try
        {
            string exported = Path.Combine(folder, "policy");
            ModelExport.Folder(Path.Combine(root, "models", "policy-imdb"), exported);
            PolicyFolder policy = PolicyFolder.Open(exported);
            using TokenizerCodec codec = TokenizerCodec.Open(policy);
            Prompt[] openings = [.. PromptFile.Read(Path.Combine(root, "data", "review-openings.train.jsonl"))];

            // One to six openings after one another.
            List<Prompt> prompts = [.. openings.Take(200).Select((p, i) => p with { Tokens = codec.Encode(string.Join(' ', openings.Skip(i).Take(1 + (i % 6)).Select(o => o.Text))) })];
            Assert.That(prompts, Has.Count.EqualTo(200));
            Assert.That(prompts.Select(p => p.Tokens!.Length).Distinct().Count(), Is.GreaterThan(10));
            using OrtEngine engine = new(policy, null, new OrtEngineOptions { Threads = 2, Spinning = false });
            using Model model = new(exported);
            int different = 0;
            foreach (Rollout rollout in engine.Generate(prompts, new SamplingOptions { Greedy = true, MaxNewTokens = NewTokens, BatchSize = 32 }))
            {
                using GeneratorParams parameters = new(model);
                parameters.SetSearchOption("do_sample", false);
                parameters.SetSearchOption("max_length", rollout.PromptTokens.Length + NewTokens);
                using Generator generator = new(model, parameters);
                generator.AppendTokens(rollout.PromptTokens);
                while (!generator.IsDone()) generator.GenerateNextToken();
                if (!generator.GetSequence(0)[rollout.PromptTokens.Length..].SequenceEqual(rollout.ResponseTokens)) different++;
            }

            Assert.That(different, Is.Zero);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
