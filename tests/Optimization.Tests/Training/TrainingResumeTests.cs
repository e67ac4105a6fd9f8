using System.Text;
using System.Text.RegularExpressions;
using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Models;
using Rlhf.Tokenization.Bpe;
using Rlhf.Trajectories;

namespace Rlhf.Optimization.Tests;

/// <summary>A training that was stopped or killed goes on to the same bytes as one that was not.</summary>
[NonParallelizable] // listens to the console
public sealed class TrainingResumeTests : FolderTest
{
    public enum Training { Sft, RewardModel, Regression, Dpo, Kto, Rft, Ilql }

    private static readonly OptimizerConfig Optimizer = new() { LearningRate = 1e-2, WarmupSteps = 2 };

    [SetUp]
    public void MakeModelAndData()
    {
        BpeFolder.Write(new BpeModel(BpeModel.StandardSpecialTokens, []), At("model"));
        using (LlamaModel model = LlamaModel.Create(Tiny.Config with { VocabSize = 260, Head = ModelHead.LanguageModel, BosTokenId = 0, EosTokenIds = [1], PadTokenId = 2 }, 3)) model.Save(At("model"));
        Text("texts.jsonl", Lines(i => $$"""{"text":"{{Word(i)}} {{Word(i + 3)}} {{Word(i + 7)}}","label":{{i % 2}}}"""));
        Text("pairs.jsonl", Lines(i => $$"""{"prompt":"{{Word(i)}}","chosen":" {{Word(i + 1)}}","rejected":" {{Word(i + 2)}}"}"""));
        ScoredFile.Write(At("scored.parquet"), Enumerable.Range(0, 24).Select(i => new ScoredRollout(
            new Rollout
            {
                Iteration = 1, PromptId = $"p{i / 2}", SampleId = i % 2, Prompt = "a", Response = "b", PromptTokens = [0, 40 + (i / 2)], ResponseTokens = [50 + i, 51 + i, 1], FinishReason = FinishReason.Eos,
                RolloutLogprobs = [-1, -1, -1], PolicyLogprobs = [-1, -1, -1], PolicyHash = new string('0', 64), Engine = "ort", Seed = 1, Temperature = 1, TopK = 0, TopP = 1,
            },
            new RowScores { Score = i % 5, ReferenceLogprobs = [-1, -1, -1] })));
    }

    private static string Word(int i) => new((char)('a' + (i * 7 % 26)), 2 + (i % 3));

    private static string Lines(Func<int, string> line) => string.Concat(Enumerable.Range(0, 24).Select(i => line(i) + "\n"));

    /// <summary>Everything random or remembered is on: dropout, noise, adversarial pass, slow heads, sums since the last evaluation.</summary>
    private void Run(Training training, string output, CancellationToken cancellation, double minutes = 0, int epochs = 2)
    {
        switch (training)
        {
            case Training.Sft:
                SftStage.Run(Common(new SftConfig { Model = At("model"), Data = [At("texts.jsonl")], SequenceLength = 8, MicroBatchSize = 2, HeldOutFraction = 0.2, Export = true }), cancellation);
                break;
            case Training.RewardModel:
                RewardModelStage.Run(
                    Common(new RewardModelConfig
                    {
                        Model = At("model"), Data = [At("texts.jsonl")], HeldOutData = [At("texts.jsonl")], MaxLength = 16, MicroBatchTokens = 32, Dropout = 0.3, TokenNoise = 0.1, CropMin = 3, CropShare = 0.5, AdversarialEpsilon = 0.1,
                        Calibrate = true,
                    }), cancellation);
                break;
            case Training.Regression:
                RewardModelStage.Run(
                    Common(new RewardModelConfig
                    {
                        Objective = RewardObjective.Regression, Model = At("model"), Data = [At("texts.jsonl")], HeldOutData = [At("texts.jsonl")], MaxLength = 16, NormalizeLabels = true,
                    }), cancellation);
                break;
            case Training.Dpo:
                PreferenceStage.Run(Common(new PreferenceConfig { Method = PreferenceMethod.Dpo, Model = At("model"), Data = [At("pairs.jsonl")], MaxLength = 32, Export = false }), cancellation);
                break;
            case Training.Kto:
                PreferenceStage.Run(Common(new PreferenceConfig { Method = PreferenceMethod.Kto, Model = At("model"), Data = [At("pairs.jsonl")], MaxLength = 32, Export = false }), cancellation);
                break;
            case Training.Rft:
                RftStage.Run(Common(new RftConfig { Model = At("model"), Data = [At("scored.parquet")], Selection = SampleSelection.Quantile, Quantile = 0, Export = false }), cancellation);
                break;
            default:
                IlqlStage.Run(Common(new IlqlConfig { Model = At("model"), Data = [At("scored.parquet")], Export = false }), cancellation);
                break;
        }

        T Common<T>(T config)
            where T : TrainingConfig => config with { Output = At(output), Epochs = epochs, BatchSize = 4, EvaluateEvery = 3, CheckpointMinutes = minutes, Threads = 1, Optimizer = Optimizer };
    }

    [Test]
    public void InterruptedTrainingsGoOnToTheSameBytes([Values] Training training)
    {
        Listen(null, () => Run(training, "whole", default));
        using var stop = new CancellationTokenSource();
        InterruptedException stopped = Assert.Throws<InterruptedException>(() => Listen(line => { if (line.StartsWith("step 3 ", StringComparison.Ordinal)) stop.Cancel(); }, () => Run(training, "parts", stop.Token)))!;
        Assert.That(stopped.Message, Does.StartWith("Stopped after step 3 of ").And.EndsWith("The same command goes on from there."));
        string told = Listen(null, () => Run(training, "parts", default));
        Assert.That(told, Does.Contain("going on after step 3 of "));
        Same("parts");
    }

    /// <summary>A checkpoint after every step, and a death in the evaluation that follows the sixth: what lies beyond the checkpoint is made again.</summary>
    [Test]
    public void KilledTrainingsGoOnFromTheirLastCheckpoint([Values] Training training)
    {
        Listen(null, () => Run(training, "whole", default));
        Assert.Throws<TimeoutException>(() => Listen(line => { if (line.StartsWith("step 6 ", StringComparison.Ordinal)) throw new TimeoutException(); }, () => Run(training, "parts", default, 1e-12)));
        string told = Listen(null, () => Run(training, "parts", default, 1e-12));
        Assert.That(told, Does.Contain("going on after step 5 of "));
        Same("parts");
    }

    [Test]
    public void AnotherConfigurationOrOtherDataAreRefused()
    {
        StopAtThree();
        ConfigurationException config = Assert.Throws<ConfigurationException>(() => Listen(null, () => Run(Training.Sft, "parts", default, epochs: 5)))!;
        Assert.That(config.Message, Does.Contain("epochs: 2 → 5").And.Contain("--restart"));
        Listen(null, () => Run(Training.Sft, "parts", default, minutes: 7)); // safe to change
        Assert.That(Directory.Exists(Path.Combine(At("parts"), "sft.checkpoint")), Is.False, "done: nothing is left to go on with");

        StopAtThree();
        File.AppendAllText(At("texts.jsonl"), "{\"text\":\"more\",\"label\":1}\n");
        BadDataException data = Assert.Throws<BadDataException>(() => Listen(null, () => Run(Training.Sft, "parts", default)))!;
        Assert.That(data.Message, Does.Contain("texts.jsonl").And.Contain("--restart"));
        TrainingCheckpoint.Forget("sft", At("parts"));
        Assert.That(Listen(null, () => Run(Training.Sft, "parts", default)), Does.Not.Contain("going on"));
    }

    /// <summary>Killed when all is saved but the checkpoint not yet removed: what comes after the last step is done again, to the same bytes.</summary>
    [Test]
    public void ADeathAtTheEndGoesOnToTheSameBytes([Values(Training.RewardModel, Training.Regression)] Training training)
    {
        Listen(null, () => Run(training, "whole", default));
        Assert.Throws<TimeoutException>(() => Listen(line => { if (line.StartsWith("saved model", StringComparison.Ordinal)) throw new TimeoutException(); }, () => Run(training, "parts", default, 1e-12)));
        Assert.That(Listen(null, () => Run(training, "parts", default, 1e-12)), Does.Contain("going on after step "));
        Same("parts");
    }

    /// <summary>The checkpoint before the newest stays: it is gone on from, aloud, where the newest is damaged. Where both are, nothing begins anew by itself.</summary>
    [Test]
    public void ADamagedCheckpointFallsBackToTheOneBefore()
    {
        Listen(null, () => Run(Training.Sft, "whole", default));
        StopAtThree(1e-12);
        string checkpoints = Path.Combine(At("parts"), "sft.checkpoint");
        Assert.That(Directory.GetDirectories(checkpoints).Select(Path.GetFileName).Order(), Is.EqualTo(new[] { "000002", "000003" }));
        Flip(Path.Combine(checkpoints, "000003", "weights.safetensors"));
        var warnings = new List<string>();
        Log.WarningTold += warnings.Add;
        try
        {
            Assert.That(Listen(null, () => Run(Training.Sft, "parts", default)), Does.Contain("going on after step 2 of "));
            Assert.That(warnings.Single(), Does.StartWith("the checkpoint after step 3 is damaged (").And.Contain("weights.safetensors"));
            Same("parts");

            StopAtThree(1e-12);
            foreach (string folder in Directory.GetDirectories(checkpoints)) Flip(Path.Combine(folder, "weights.safetensors"));
            BadDataException lost = Assert.Throws<BadDataException>(() => Listen(null, () => Run(Training.Sft, "parts", default)))!;
            Assert.That(lost.Message, Does.Contain("no whole checkpoint is left").And.Contain("--restart"));
            Assert.That(Directory.GetDirectories(checkpoints), Has.Length.EqualTo(2));
        }
        finally
        {
            Log.WarningTold -= warnings.Add;
        }

        TrainingCheckpoint.Forget("sft", At("parts"));
        Listen(null, () => Run(Training.Sft, "parts", default));
        Same("parts");
    }

    [Test]
    public void TwoTrainingsCannotRunInOneFolder()
    {
        StopAtThree();
        using (TrainingLoop.Lock(At("parts")))
        {
            Assert.That(() => Listen(null, () => Run(Training.Sft, "parts", default)), Throws.TypeOf<BadDataException>().With.Message.Contains("is in use by process"));
            Assert.That(() => TrainingCheckpoint.Forget("sft", At("parts")), Throws.TypeOf<BadDataException>(), "another one's checkpoint is not removed");
        }

        Listen(null, () => Run(Training.Sft, "parts", default));
        Assert.That(Directory.GetFiles(At("parts"), "*.lock*"), Is.Empty);
    }

    private static void Flip(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        bytes[^5] ^= 4;
        File.WriteAllBytes(path, bytes);
    }

    private void StopAtThree(double minutes = 0)
    {
        using var stop = new CancellationTokenSource();
        Assert.Throws<InterruptedException>(() => Listen(line => { if (line.StartsWith("step 3 ", StringComparison.Ordinal)) stop.Cancel(); }, () => Run(Training.Sft, "parts", stop.Token, minutes)));
    }

    private void Same(string parts)
    {
        string[] files = Files("whole");
        Assert.That(Files(parts), Is.EqualTo(files));
        Assert.That(files, Has.Some.EndsWith("model.safetensors"));
        foreach (string file in files)
        {
            string a = Path.Combine(At("whole"), file), b = Path.Combine(At(parts), file);
            if (file.EndsWith(".metrics.jsonl", StringComparison.Ordinal)) Assert.That(WithoutTimes(b), Is.EqualTo(WithoutTimes(a)), file);
            else Assert.That(File.ReadAllBytes(b), Is.EqualTo(File.ReadAllBytes(a)), file);
        }

        string[] Files(string folder) => [.. Directory.EnumerateFiles(At(folder), "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(At(folder), f)).Order(StringComparer.Ordinal)];
        static string WithoutTimes(string file) => Regex.Replace(File.ReadAllText(file), "\"time/[^\"]*\": ?[^,}]*", "");
    }

    /// <summary>Runs with what is printed line by line given to the listener; returns all of it.</summary>
    private static string Listen(Action<string>? listener, Action run)
    {
        TextWriter before = Console.Out;
        using var writer = new Listener(listener);
        try
        {
            Console.SetOut(writer);
            run();
        }
        finally
        {
            Console.SetOut(before);
        }

        return writer.Told.ToString();
    }

    private sealed class Listener(Action<string>? listener) : TextWriter
    {
        public StringBuilder Told { get; } = new();

        public override Encoding Encoding => Encoding.UTF8;

        public override void WriteLine(string? value)
        {
            Told.Append(value).Append('\n');
            listener?.Invoke(value ?? "");
        }

        public override void WriteLine(StringBuilder? value) => WriteLine(value?.ToString());

        public override void WriteLine(object? value) => WriteLine(value?.ToString());

        public override void Write(char value) => Told.Append(value);
    }
}
