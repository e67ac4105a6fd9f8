using System.Diagnostics;
using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Models;
using Rlhf.Tokenization;
using Rlhf.Trajectories;

namespace Rlhf.Optimization.Tests;

/// <summary>The commands as people call them: arguments in; exit code, messages and files out.</summary>
public sealed class CommandTests : FolderTest
{
    private const string Words = "the film was good and the end was bad but the cast was fine";

    private static string s_tokenizer = "";

    private sealed record Outcome(int Code, string Error);

    [OneTimeSetUp]
    public void LearnATokenizer()
    {
        s_tokenizer = Directory.CreateTempSubdirectory("rlhf-tokenizer-").FullName;
        string data = Path.Combine(s_tokenizer, "words.jsonl");
        File.WriteAllLines(data, Enumerable.Repeat($$"""{"text": "{{Words}}"}""", 3));
        Outcome outcome = Run("tokenizer", "--data", data, "--vocabulary-size", "270", "--out", s_tokenizer);
        Assert.That(outcome.Code, Is.Zero, outcome.Error);
    }

    [OneTimeTearDown]
    public void Remove() => Directory.Delete(s_tokenizer, recursive: true);

    private static Outcome Run(params string[] args)
    {
        using var error = new StringWriter();
        return new Outcome(CommandHost.Run(args, OptimizeCommand.Create(), TextWriter.Null, error), error.ToString());
    }

    private string Sft(string data, string more = "") => Text("sft.yaml", $$"""
        tokenizer: "{{s_tokenizer}}"
        data: ["{{data}}"]
        architecture: { hidden_size: 16, intermediate_size: 24, layers: 2, heads: 2, key_value_heads: 1, max_positions: 64 }
        sequence_length: 16
        held_out_fraction: 0
        batch_size: 4
        micro_batch_size: 2
        max_steps: 3
        epochs: 100
        threads: 1
        output: "{{At("sft")}}"
        {{more}}
        """);

    private string Reward(string objective, string data) => Text("reward.yaml", $$"""
        objective: {{objective}}
        tokenizer: "{{s_tokenizer}}"
        data: ["{{data}}"]
        architecture: { hidden_size: 16, intermediate_size: 24, layers: 1, heads: 2, key_value_heads: 1, max_positions: 64 }
        max_length: 64
        held_out_fraction: 0
        batch_size: 4
        max_steps: 4
        epochs: 100
        evaluate_every: 2
        threads: 1
        output: "{{At("reward")}}"
        """);

    private string Corpus() => Text("corpus.jsonl", string.Concat(Enumerable.Range(0, 12).Select(i => $$"""{"text": "{{i}} {{Words}}"}""" + "\n")));

    [Test]
    public void SftWritesAModelItsTokenizerAndMetrics()
    {
        Outcome outcome = Run("sft", "--config", Sft(Corpus()));
        Assert.That(outcome.Code, Is.Zero, outcome.Error);
        using LlamaModel model = LlamaModel.Load(At("sft"));
        MetricRow row = MetricsFile.Read(Path.Combine(At("sft"), "sft.metrics.jsonl"))[^1];
        Assert.Multiple(() =>
        {
            Assert.That(model.Config.VocabSize, Is.GreaterThanOrEqualTo(259));
            Assert.That(Path.Combine(At("sft"), "tokenizer.json"), Does.Exist);
            Assert.That(row.Iteration, Is.EqualTo(3), "optimiser steps");
            Assert.That(row.Values["tokens/trained"], Is.EqualTo(3 * 4 * 16));
            Assert.That(row.Values["loss"], Is.InRange(4, 7));
        });
    }

    [Test]
    public void CompletionsAreTrainedWithTheirPrompts()
    {
        string data = Text("pairs.jsonl", string.Concat(Enumerable.Repeat("""{"q": "the film was", "a": " good"}""" + "\n", 8)));
        Outcome outcome = Run("sft", "--config", Sft(data, "prompt_column: q\ncompletion_column: a"));
        Assert.That(outcome.Code, Is.Zero, outcome.Error);
        using Tokenizer tokenizer = Tokenizer.Open(s_tokenizer);
        MetricRow row = MetricsFile.Read(Path.Combine(At("sft"), "sft.metrics.jsonl"))[^1];
        Assert.That(row.Values["tokens/trained"], Is.EqualTo(3 * 4 * (tokenizer.Encode(" good").Length + 1)), "the completion and its EOS");
    }

    [Test]
    public void OneColumnOfTwoIsAMistake()
    {
        Outcome outcome = Run("sft", "--config", Sft(Corpus(), "prompt_column: text"));
        Assert.Multiple(() =>
        {
            Assert.That(outcome.Code, Is.EqualTo(2));
            Assert.That(outcome.Error, Does.Contain("completion_column"));
        });
    }

    [TestCase("binary", """{"text": "good", "label": 1}""", """{"text": "bad", "label": 0}""")]
    [TestCase("pairwise", """{"chosen": "good", "rejected": "bad"}""", """{"chosen": "fine", "rejected": "bad end"}""")]
    [TestCase("k_wise", """{"ranking": ["good", "fine", "bad"]}""", """{"ranking": ["fine", "bad"]}""")]
    [TestCase("plackett_luce", """{"ranking": ["good", "fine", "bad"]}""", """{"ranking": ["fine", "bad"]}""")]
    public void ARewardModelIsTrainedWithoutAnyHeldOutRow(string objective, string first, string second)
    {
        Outcome outcome = Run("reward-model", "--config", Reward(objective, Text("data.jsonl", $"{first}\n{second}\n")));
        Assert.That(outcome.Code, Is.Zero, outcome.Error);
        using LlamaModel model = LlamaModel.Load(At("reward"));
        Assert.That(model.Config.Head, Is.EqualTo(ModelHead.Scalar));
    }

    [Test]
    public void RankingsAreReadBestFirstAndBadOnesLeftOut()
    {
        string data = Text("r.jsonl", """
            {"ranking": ["good", "fine", "bad"], "prompt": "the "}
            {"ranking": ["alone"], "prompt": "the "}
            {"ranking": ["twice", "twice"], "prompt": "the "}
            {"ranking": null, "prompt": "the "}
            {"ranking": ["", "empty"], "prompt": "the "}

            """);
        using Tokenizer tokenizer = Tokenizer.Open(s_tokenizer);
        var config = new RewardModelConfig { Objective = RewardObjective.PlackettLuce, Data = [data], HeldOutFraction = 0, PromptColumn = "prompt" };
        (List<RewardExample> training, _) = RewardData.Load(config, tokenizer, default);
        Assert.Multiple(() =>
        {
            Assert.That(training, Has.Count.EqualTo(1));
            Assert.That(training[0].Texts, Is.EqualTo(new[] { tokenizer.EncodePrompt("the good"), tokenizer.EncodePrompt("the fine"), tokenizer.EncodePrompt("the bad") }));
        });
    }

    [Test]
    public void ARankingColumnOfTextsIsBadData()
    {
        Outcome outcome = Run("reward-model", "--config", Reward("k_wise", Text("data.jsonl", """{"ranking": "good"}""" + "\n")));
        Assert.Multiple(() =>
        {
            Assert.That(outcome.Code, Is.EqualTo(3));
            Assert.That(outcome.Error, Does.Contain("'ranking' is VARCHAR").And.Contain("best first"));
        });
    }

    [Test]
    public void AnUnknownKeyIsExitCode2WithItsPlace()
    {
        string config = Text("sft.yaml", "seed: 1\nlerning_rate: 3\n");
        Outcome outcome = Run("sft", "--config", config);
        Assert.Multiple(() =>
        {
            Assert.That(outcome.Code, Is.EqualTo(2));
            Assert.That(outcome.Error, Does.Contain($"{config}:2").And.Contain("lerning_rate"));
        });
    }

    [Test]
    public void MissingDataIsExitCode3()
    {
        Outcome outcome = Run("sft", "--config", Sft(At("nowhere.jsonl")));
        Assert.Multiple(() =>
        {
            Assert.That(outcome.Code, Is.EqualTo(3), outcome.Error);
            Assert.That(outcome.Error, Does.Contain("nowhere.jsonl"));
        });
    }

    [TestCase("sft")]
    [TestCase("reward-model")]
    public void EmptyDataIsExitCode3(string command)
    {
        string data = Text("empty.csv", "text,label\n");
        Outcome outcome = Run(command, "--config", command == "sft" ? Sft(data) : Reward("binary", data));
        Assert.Multiple(() =>
        {
            Assert.That(outcome.Code, Is.EqualTo(3), outcome.Error);
            Assert.That(outcome.Error, Does.Contain("empty.csv"));
        });
    }

    [Test]
    public void SequencesLongerThanTheModelAreExitCode2()
    {
        Outcome outcome = Run("sft", "--config", Sft(Corpus()), "--set", "sequence_length=65");
        Assert.Multiple(() =>
        {
            Assert.That(outcome.Code, Is.EqualTo(2));
            Assert.That(outcome.Error, Does.Contain("sequence_length is 65").And.Contain("64 positions"));
        });
    }

    [Test]
    public void TruncatedWeightsAreExitCode4()
    {
        Policy();
        string weights = Path.Combine(At("policy"), "model.safetensors");
        byte[] bytes = File.ReadAllBytes(weights);
        File.WriteAllBytes(weights, bytes[..(bytes.Length / 2)]);
        Outcome outcome = Run("export", "--model", At("policy"), "--out", At("onnx"));
        Assert.Multiple(() =>
        {
            Assert.That(outcome.Code, Is.EqualTo(4));
            Assert.That(outcome.Error, Does.Contain(weights));
            Assert.That(At("onnx"), Does.Not.Exist);
        });
    }

    /// <summary>An export replaces its folder whole: weights, or anything else that lies there, would go with it.</summary>
    [Test]
    public void AnExportReplacesNothingButAnExport()
    {
        Policy();
        Outcome onto = Run("export", "--model", At("policy"), "--out", At("policy"));
        Assert.That(onto.Code, Is.EqualTo(2), onto.Error);
        Assert.That(onto.Error, Does.Contain("holds 'config.json', which is no part of an exported model"));
        Assert.That(Path.Combine(At("policy"), "model.safetensors"), Does.Exist);
        Directory.CreateDirectory(At("box"));
        File.WriteAllText(Path.Combine(At("box"), "notes.txt"), "mine");
        foreach (string folder in (string[])["box", "."])
        {
            Outcome other = Run("export", "--model", At("policy"), "--out", At(folder));
            Assert.That(other.Code, Is.EqualTo(2), other.Error);
        }

        Assert.That(Path.Combine(At("box"), "notes.txt"), Does.Exist);
        for (int i = 0; i < 2; i++) Assert.That(Run("export", "--model", At("policy"), "--out", At("onnx")).Code, Is.Zero, "an older export is replaced");
        Outcome checkpoint = Run("ppo", "--in", At("none.parquet"), "--trajectories", At("t.parquet"), "--checkpoint-out", At("box"), "--policy-out", At("onnx"));
        Assert.That(checkpoint.Code, Is.EqualTo(2), checkpoint.Error);
        Assert.That(checkpoint.Error, Does.Contain("holds 'notes.txt', which is no part of a checkpoint"));
    }

    /// <summary>Two iterations through files, one command each, with the checkpoint between them.</summary>
    [Test]
    public void PpoTrainsExportsAndGoesOn()
    {
        LlamaConfig shape = Policy();
        Rollouts("scored.parquet", shape, score: 1);
        string config = Text("run.yaml", $$"""
            policy: "{{At("policy")}}"
            threads: 1
            iterations: 2
            generation: { prompts: 'none.jsonl' }
            ppo: { epochs: 1, minibatch_size: 4 }
            """);
        string[] Arguments(int i) =>
        [
            "ppo", "--config", config, "--in", At("scored.parquet"), "--trajectories", At($"t{i}.parquet"), "--checkpoint-out", At($"c{i}"), "--policy-out", At($"p{i}"),
        ];
        Outcome first = Run(Arguments(1)), second = Run([.. Arguments(2), "--checkpoint", At("c1")]);
        Assert.That((first.Code, second.Code), Is.EqualTo((0, 0)), first.Error + second.Error);
        List<Trajectory> rows = [.. TrajectoryFile.Read(At("t2.parquet"))];
        Assert.Multiple(() =>
        {
            Assert.That(rows, Has.Count.EqualTo(6));
            Assert.That(rows.All(r => r.Targets.OldLogprobs.Length == r.Rollout.ResponseTokens.Length));
            Assert.That(File.ReadAllText(Path.Combine(At("c2"), "state.json")), Does.Contain("\"Iteration\": 2"));
            Assert.That(Path.Combine(At("p2"), "model.onnx"), Does.Exist);
        });
    }

    [Test]
    public void RowsWithoutScoresAreExitCode3()
    {
        Rollouts("scored.parquet", Policy(), score: null);
        string config = Text("run.yaml", $"policy: \"{At("policy")}\"\nthreads: 1\ngeneration: {{ prompts: 'none.jsonl' }}\n");
        Outcome outcome = Run("ppo", "--config", config, "--in", At("scored.parquet"), "--trajectories", At("t.parquet"), "--checkpoint-out", At("c"), "--policy-out", At("p"));
        Assert.Multiple(() =>
        {
            Assert.That(outcome.Code, Is.EqualTo(3), outcome.Error);
            Assert.That(outcome.Error, Does.Contain("All 6 rows have no score").And.Contain("rlhf-score"));
            Assert.That(At("c"), Does.Not.Exist);
        });
    }

    /// <summary>What a table is made from is never replaced by it.</summary>
    [Test]
    public void InputsAreNeverReplacedByTables()
    {
        string rows = Text("pairs.train.jsonl", """{"text": "good", "rating": 1}""" + "\n" + """{"text": "bad", "rating": 0}""" + "\n"), before = File.ReadAllText(rows);
        File.CreateSymbolicLink(At("link.jsonl"), rows);
        foreach (string[] args in (string[][])[
            ["pairs", "--in", rows, "--out", rows], ["pairs", "--in", At("link.jsonl"), "--out", rows], ["pairs", "--in", At("*.jsonl"), "--out", rows, "--dry-run"],
            ["rankings", "--in", rows, "--size", "2", "--out", Folder],
            ["policy", "--in", rows, "--trajectories", rows, "--checkpoint-out", At("c"), "--policy-out", At("p"), "--set", "policy=p", "--set", "generation.prompts=p"],
        ])
        {
            Outcome outcome = Run(args);
            Assert.That(outcome.Code, Is.EqualTo(2), outcome.Error);
            Assert.That(outcome.Error, Does.Contain($"'{rows}' is both input and output; name another output."));
        }

        Assert.That(File.ReadAllText(rows), Is.EqualTo(before));
    }

    /// <summary>From scored samples to pairs, to a tuned policy, to its ONNX folder.</summary>
    [Test]
    public void PairsAreMadeAndLearntFrom([Values] PreferenceMethod method)
    {
        Rollouts("scored.parquet", Policy(), score: 1, samplesPerPrompt: 3);
        Outcome pairs = Run("pairs", "--in", At("scored.parquet"), "--out", At("pairs.parquet"));
        Assert.That(pairs.Code, Is.Zero, pairs.Error);
        string name = method.ToString().ToLowerInvariant();
        Outcome outcome = Run(
            name, "--set", $"model={At("policy")}", "--set", $"data=[{At("pairs.parquet")}]", "--set", $"output={At("tuned")}", "--set", "max_length=40", "--set", "held_out_fraction=0",
            "--set", "epochs=3", "--set", "batch_size=2", "--set", "threads=1", "--set", "optimizer.learning_rate=0.01", "--set", "optimizer.warmup_steps=0");
        Assert.That(outcome.Code, Is.Zero, outcome.Error);
        MetricRow last = MetricsFile.Read(Path.Combine(At("tuned"), $"{name}.metrics.jsonl"))[^1];
        Assert.Multiple(() =>
        {
            Assert.That(last.Iteration, Is.EqualTo(6), "3 epochs of 4 pairs, 2 a step");
            Assert.That(last.Values["preference/margin"], Is.GreaterThan(0));
            Assert.That(Path.Combine(At("tuned"), "onnx", "model.onnx"), Does.Exist);
            Assert.That(LlamaConfig.Load(At("tuned")).VocabSize, Is.EqualTo(LlamaConfig.Load(At("policy")).VocabSize));
        });
    }

    /// <summary>KTO on thumbs, as texts.</summary>
    [Test]
    public void ThumbsAreLearntFrom()
    {
        Policy();
        string data = Text("thumbs.csv", "prompt,completion,label\nthe film, was good,up\nthe film, was bad,down\nthe end, was fine,1\nthe end,,1\nthe end, was odd,maybe\nthe cast, was bad,false\n");
        Outcome outcome = Run(
            "kto", "--set", $"model={At("policy")}", "--set", $"data=[{data}]", "--set", "label_column=label", "--set", $"output={At("tuned")}", "--set", "max_length=40",
            "--set", "held_out_fraction=0", "--set", "threads=1", "--set", "export=false");
        Assert.That(outcome.Code, Is.Zero, outcome.Error);
        Assert.That(MetricsFile.Read(Path.Combine(At("tuned"), "kto.metrics.jsonl"))[^1].Values["epoch"], Is.EqualTo(8), "one step of 32, from 4 rows of 6");
    }

    [TestCase("dpo", "method=ipo", "method is ipo; the command is dpo")]
    [TestCase("dpo", "margin=1", "is for simpo")]
    [TestCase("orpo", "reference=somewhere", "orpo has no reference")]
    public void CombinationsThatMakeNoSenseAreRefused(string command, string set, string message)
    {
        Outcome outcome = Run(command, "--set", "model=policy", "--set", set, "--dry-run");
        Assert.Multiple(() =>
        {
            Assert.That(outcome.Code, Is.EqualTo(2));
            Assert.That(outcome.Error, Does.Contain(message));
        });
    }

    [TestCase("rft")]
    [TestCase("ilql")]
    public void ScoredSamplesAreLearntFromOffline(string command)
    {
        Rollouts("scored.parquet", Policy(), score: 1, samplesPerPrompt: 3);
        Outcome outcome = Run(
            command, "--set", $"model={At("policy")}", "--set", $"data=[{At("scored.parquet")}]", "--set", $"output={At("tuned")}", "--set", "held_out_fraction=0", "--set", "batch_size=2", "--set", "threads=1");
        Assert.That(outcome.Code, Is.Zero, outcome.Error);
        Assert.Multiple(() =>
        {
            // Best of 3 of 4 prompts: 4 responses, 2 epochs, 2 a step; ILQL takes all 12.
            Assert.That(MetricsFile.Read(Path.Combine(At("tuned"), $"{command}.metrics.jsonl"))[^1].Iteration, Is.EqualTo(command == "rft" ? 4 : 12));
            Assert.That(Path.Combine(At("tuned"), "onnx", "model.onnx"), Does.Exist);
            Assert.That(File.Exists(Path.Combine(At("tuned"), "ilql_heads.safetensors")), Is.EqualTo(command == "ilql"));
        });
    }

    [Test]
    public void SamplesWithoutAPairAreExitCode3()
    {
        Rollouts("scored.parquet", Policy(), score: 1);
        Outcome outcome = Run("pairs", "--in", At("scored.parquet"), "--out", At("pairs.parquet"));
        Assert.Multiple(() =>
        {
            Assert.That(outcome.Code, Is.EqualTo(3), outcome.Error);
            Assert.That(outcome.Error, Does.Contain("--samples-per-prompt"));
            Assert.That(At("pairs.parquet"), Does.Not.Exist);
        });
    }

    /// <summary>The built program itself.</summary>
    [Test, CancelAfter(60_000)]
    public void TheExecutableShowsWhatADryRunWouldDo()
    {
        string program = Path.Combine(TestContext.CurrentContext.TestDirectory, "rlhf-optimize.dll");
        using Process process = Process.Start(new ProcessStartInfo("dotnet", [program, "sft", "--config", Sft(Corpus()), "--set", "optimizer.learning_rate=0.125", "--dry-run"])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        string output = process.StandardOutput.ReadToEnd(), error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.Multiple(() =>
        {
            Assert.That(process.ExitCode, Is.Zero, error);
            Assert.That(output, Does.Contain("learning_rate: 0.125").And.Contain("sequence_length: 16"));
            Assert.That(At("sft"), Does.Not.Exist);
        });
    }

    /// <summary>A policy folder with the tokenizer's files.</summary>
    private LlamaConfig Policy()
    {
        using Tokenizer tokenizer = Tokenizer.Open(s_tokenizer);
        LlamaConfig shape = Tiny.Config with
        {
            VocabSize = tokenizer.VocabularySize, HeadDim = 16, Head = ModelHead.LanguageModel, BosTokenId = tokenizer.BosId, EosTokenIds = tokenizer.EosIds, PadTokenId = tokenizer.PadId,
        };
        using LlamaModel model = LlamaModel.Create(shape, 1);
        model.Save(At("policy"), tokenizerFrom: s_tokenizer);
        return shape;
    }

    private void Rollouts(string name, LlamaConfig shape, double? score, int samplesPerPrompt = 1) => ScoredFile.Write(At(name), Enumerable.Range(0, samplesPerPrompt == 1 ? 6 : 4 * samplesPerPrompt).Select(i =>
    {
        int p = i / samplesPerPrompt;
        int[] prompt = [.. Enumerable.Range(0, 1 + (p % 3)).Select(t => 5 + p + t)], response = [.. Enumerable.Range(0, 2 + i).Select(t => (40 + (7 * i) + t) % shape.VocabSize)];
        float[] logProbs = [.. response.Select(_ => -5.5f)];
        return new ScoredRollout(
            new Rollout
            {
                Iteration = 1, PromptId = $"p{p}", SampleId = i % samplesPerPrompt, Prompt = "the", Response = " film", PromptTokens = prompt, ResponseTokens = response,
                FinishReason = i % 2 == 0 ? FinishReason.Eos : FinishReason.Length, RolloutLogprobs = logProbs, PolicyLogprobs = logProbs,
                PolicyHash = new string('0', 64), Engine = "ort", Seed = 1, Temperature = 1, TopK = 0, TopP = 1,
            },
            new RowScores { Score = score is null ? null : score + (0.25 * i), ReferenceLogprobs = logProbs });
    }));
}
