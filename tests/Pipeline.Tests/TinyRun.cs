using Rlhf.Core;
using Rlhf.Models;
using Rlhf.Tokenization.Bpe;

namespace Rlhf.Pipeline.Tests;

/// <summary>One finished run of a tiny random policy, made once for all tests: three iterations of 16 prompts in a temporary folder.</summary>
[SetUpFixture]
public sealed class TinyRun
{
    public const int Iterations = 3, Responses = 16, Context = 64, MaxNewTokens = 12;

    /// <summary>The reward of the run, as rlhf-score writes it on its command line.</summary>
    public const string Rule = "length:target=6,width=12,unit=tokens";

    private static readonly string[] Sentences =
    [
        "the river turned slowly under the old bridge and the boats turned with it",
        "a good morning begins with warm bread and a quiet kitchen",
        "she loved the wonderful garden behind the house and the birds that sang there",
        "the mountain path was long but the view was beautiful and the air was clear",
        "he enjoyed the funny story about the boat, the bread and the bridge",
        "when the rain began the children ran to the house and laughed at the weather",
    ];

    /// <summary>Everything lies in here.</summary>
    public static string Folder { get; private set; } = "";

    public static string Policy => Path.Combine(Folder, "model");

    public static string Config => Path.Combine(Folder, "config.yaml");

    public static string Prompts => Path.Combine(Folder, "prompts.jsonl");

    /// <summary>The run directory.</summary>
    public static string Run => Path.Combine(Folder, "run");

    /// <summary>How `rlhf run` ended.</summary>
    internal static Ended Outcome { get; private set; } = new(-1, "", "");

    public static string Iteration(int i, string file) => Path.Combine(Run, "iterations", i.ToString("0000", System.Globalization.CultureInfo.InvariantCulture), file);

    /// <summary>A new folder of a test's own.</summary>
    public static string NewFolder(string name) => Directory.CreateDirectory(Path.Combine(Folder, $"{name}-{Interlocked.Increment(ref s_folders)}")).FullName;

    private static int s_folders;

    [OneTimeSetUp]
    public void Make()
    {
        Folder = Directory.CreateTempSubdirectory("rlhf-pipeline-").FullName;
        BpeModel tokenizer = BpeTrainer.Train(Sentences, new BpeTrainerOptions(300));
        var shape = new LlamaConfig
        {
            VocabSize = tokenizer.VocabularySize, HiddenSize = 32, IntermediateSize = 64, NumHiddenLayers = 2, NumAttentionHeads = 2, NumKeyValueHeads = 2, HeadDim = 16,
            MaxPositionEmbeddings = Context, BosTokenId = 0, EosTokenIds = [1], PadTokenId = 2,
        };
        using (LlamaModel model = LlamaModel.Create(shape, seed: 7)) model.Save(Policy);
        BpeFolder.Write(tokenizer, Policy, Context);

        // 20 training prompts, so that the second iteration passes the end of the file; 4 others for evaluation.
        string[] words = [.. Sentences.SelectMany(s => s.Split(' ')).Distinct(StringComparer.Ordinal)];
        string Prompt(int n) => $"{words[n % words.Length]} {words[(n * 5 + 3) % words.Length]} \"{words[(n * 11 + 7) % words.Length]}\"";
        File.WriteAllLines(Prompts, Enumerable.Range(0, 20).Select(n => System.Text.Json.JsonSerializer.Serialize(new { prompt = Prompt(n), topic = n % 3 })));
        File.WriteAllLines(Path.Combine(Folder, "held-out.jsonl"), Enumerable.Range(100, 4).Select(n => System.Text.Json.JsonSerializer.Serialize(new { prompt = Prompt(n) })));
        File.WriteAllText(Config, $"""
            seed: 5
            output: run
            policy: model
            iterations: {Iterations}
            keep_checkpoints: 0
            threads: 1
            generation:
              prompts: prompts.jsonl
              prompts_per_iteration: {Responses}
              max_new_tokens: {MaxNewTokens}
            scoring:
              rewards:
                - rule: {Rule}
            ppo:
              epochs: 2
              minibatch_size: 8
              kl_coefficient: 0.05
            optimizer:
              learning_rate: 0.002
            evaluation:
              prompts: held-out.jsonl

            """);
        Outcome = Programs.Rlhf("run", Config);
    }

    [OneTimeTearDown]
    public void Remove() => Directory.Delete(Folder, recursive: true);
}
