using Rlhf.Core;

namespace Rlhf.Pipeline.Tests;

/// <summary>What a run reads is in its manifest, each input once: a change of any of them is seen by resume.</summary>
public sealed class ManifestTests
{
    [Test]
    public void NoInputHidesAnother()
    {
        string folder = TinyRun.NewFolder("inputs");
        string Write(string name, string text)
        {
            string path = Path.Combine(folder, name);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, text);
            return path;
        }

        Write("a/model.onnx", "1");
        Write("b/model.onnx", "2");
        string train = Write("train/prompts.jsonl", "{\"prompt\":\"x\"}\n"), heldOut = Write("held-out/prompts.jsonl", "{\"prompt\":\"y\"}\n");
        string words = Write("words.tsv", "good\t1\n"), text = Write("text-1.jsonl", "{\"text\":\"x\"}\n");
        Write("text-2.jsonl", "{\"text\":\"y\"}\n");
        RunConfig config = new()
        {
            Generation = new GenerationConfig { Prompts = train },
            Evaluation = new EvaluationConfig { Prompts = heldOut },
            Method = new MethodConfig { PtxCoefficient = 1, PtxData = [Path.Combine(folder, "text-*.jsonl")] },
            Scoring = new ScoringConfig { Rewards = [new RewardSourceConfig { Model = Path.Combine(folder, "a") }, new RewardSourceConfig { Model = Path.Combine(folder, "b") }, new RewardSourceConfig { Rule = $"lexicon:file={words}" }] },
        };
        IReadOnlyDictionary<string, string> inputs = Manifest.Inputs(config);
        Assert.That(inputs.Keys, Is.EqualTo(new[] { "evaluation/prompts.jsonl", "prompts.jsonl", "reward/", "reward/b", "rule/words.tsv", "text-1.jsonl", "text-2.jsonl" }));
        Assert.That(inputs["prompts.jsonl"], Is.EqualTo(Sha256.OfFile(train)));
        Assert.That(inputs["evaluation/prompts.jsonl"], Is.EqualTo(Sha256.OfFile(heldOut)));

        foreach (string file in (string[])[train, heldOut, words, text, Path.Combine(folder, "a", "model.onnx"), Path.Combine(folder, "b", "model.onnx")])
        {
            string before = File.ReadAllText(file);
            File.WriteAllText(file, before.Replace("x", "z", StringComparison.Ordinal).Replace("y", "z", StringComparison.Ordinal).Replace("1", "3", StringComparison.Ordinal).Replace("2", "3", StringComparison.Ordinal));
            Assert.That(() => ResumePoint.CheckInputs(config, new RunManifest { Seed = 1, Threads = 1, Inputs = inputs }), Throws.TypeOf<BadDataException>().With.Message.Contains("has changed or is missing"), file);
            File.WriteAllText(file, before);
        }

        Assert.That(() => ResumePoint.CheckInputs(config, new RunManifest { Seed = 1, Threads = 1, Inputs = inputs }), Throws.Nothing);
    }
}
