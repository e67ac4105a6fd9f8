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
        string added = Write("text-3.jsonl", "{\"text\":\"z\"}\n"); // the pattern finds it
        Assert.That(() => ResumePoint.CheckInputs(config, new RunManifest { Seed = 1, Threads = 1, Inputs = inputs }), Throws.TypeOf<BadDataException>().With.Message.Contains("was not begun with is there: text-3.jsonl"));
        File.Delete(added);
    }

    /// <summary>A reward model's training that goes on in the run reads its configuration again at every start.</summary>
    [Test]
    public void EveryFileThatTheTrainingsConfigurationExtendsIsAnInput()
    {
        string folder = TinyRun.NewFolder("extended");
        string Write(string name, string text)
        {
            string path = Path.Combine(folder, name);
            File.WriteAllText(path, text);
            return path;
        }

        string below = Write("base.yaml", "dropout: 0.1\n"), middle = Write("middle.yaml", "extends: base.yaml\nlabel_column: label\n"), top = Write("top.yaml", $"extends: middle.yaml\ndata: [{Write("labels.jsonl", "{}\n")}]\n");
        Assert.That(ConfigBinder.FilesOf(top), Is.EqualTo(new[] { top, middle, below }));
        RunConfig config = new() { RewardTraining = new RewardTrainingConfig { Reward = "r", Config = top } };
        IReadOnlyDictionary<string, string> inputs = Manifest.Inputs(config);
        Assert.That(inputs.Keys, Is.EqualTo(new[] { "reward_training/base.yaml", "reward_training/config", "reward_training/labels.jsonl", "reward_training/middle.yaml" }));
        Write("base.yaml", "dropout: 0.2\n");
        Assert.That(() => ResumePoint.CheckInputs(config, new RunManifest { Seed = 1, Threads = 1, Inputs = inputs }), Throws.TypeOf<BadDataException>().With.Message.Contains("missing: reward_training/base.yaml"));
    }
}
