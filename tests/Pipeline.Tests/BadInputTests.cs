namespace Rlhf.Pipeline.Tests;

/// <summary>What a user can give that is wrong: an exit code by kind, one readable message that names the place, and nothing half-written.</summary>
public sealed class BadInputTests
{
    private const int Configuration = 2, Data = 3, Model = 4;

    [Test]
    public void AnUnknownKeyIsNamedWithItsLine()
    {
        string config = Edited("unknown-key", text => text + "sampler: {}\n");
        Fails(Programs.Rlhf("run", config), Configuration, "sampler", "config.yaml");
    }

    [Test]
    public void AValueOutOfRangeIsNamed() => Fails(Programs.Rlhf("run", TinyRun.Config, "--set", "ppo.gamma=1.5"), Configuration, "gamma", "1.5");

    [Test]
    public void AMissingConfigurationFileIsNamed() => Fails(Programs.Rlhf("run", Path.Combine(TinyRun.Folder, "absent.yaml")), Configuration, "absent.yaml");

    [Test]
    public void AMissingPolicyFolderIsNamedBeforeAnythingIsWritten()
    {
        string output = Path.Combine(TinyRun.Folder, "missing-policy");
        Fails(Programs.Rlhf("run", TinyRun.Config, "--set", $"output={output}", "--set", "policy=absent"), Configuration, "absent");
        Assert.That(output, Does.Not.Exist);
    }

    [Test]
    public void TruncatedWeightsAreABadModel()
    {
        string policy = Broken("truncated", weights =>
        {
            using FileStream file = File.OpenWrite(weights);
            file.SetLength(file.Length / 2);
        });
        FailsToExport(policy, Model, "model.safetensors");
    }

    [Test]
    public void WeightsOfAnotherShapeAreABadModel()
    {
        string policy = Folders.Copy(TinyRun.Policy, Path.Combine(TinyRun.Folder, "shapes"));
        string config = Path.Combine(policy, "config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"intermediate_size\": 64", "\"intermediate_size\": 96", StringComparison.Ordinal));
        FailsToExport(policy, Model, "96");
    }

    [Test]
    public void WeightsThatAreNotFiniteAreABadModel()
    {
        string policy = Broken("nan", weights =>
        {
            using FileStream file = File.OpenWrite(weights);
            file.Seek(-4, SeekOrigin.End);
            file.Write(BitConverter.GetBytes(float.NaN));
        });
        FailsToExport(policy, Model, "model.safetensors");
    }

    [Test]
    public void APolicyWithoutATokenizerIsABadModel()
    {
        string policy = Folders.Copy(TinyRun.Iteration(0, "policy"), Path.Combine(TinyRun.Folder, "no-tokenizer"));
        File.Delete(Path.Combine(policy, "tokenizer.json"));
        FailsToGenerate(policy, TinyRun.Prompts, Model, "tokenizer.json");
    }

    [Test]
    public void AMissingPromptFileIsBadData() => FailsToGenerate(TinyRun.Iteration(0, "policy"), Path.Combine(TinyRun.Folder, "absent.jsonl"), Data, "absent.jsonl");

    [Test]
    public void AnEmptyPromptFileIsBadData()
    {
        string prompts = Path.Combine(TinyRun.NewFolder("empty"), "prompts.jsonl");
        File.WriteAllText(prompts, "");
        FailsToGenerate(TinyRun.Iteration(0, "policy"), prompts, Data, prompts);
    }

    [Test]
    public void APromptThatDoesNotFitIntoTheContextIsBadData()
    {
        string prompts = Path.Combine(TinyRun.NewFolder("long"), "prompts.jsonl");
        File.WriteAllText(prompts, $"{{\"prompt\": \"{string.Concat(Enumerable.Repeat("zq", TinyRun.Context))}\"}}\n");
        FailsToGenerate(TinyRun.Iteration(0, "policy"), prompts, Data, $"{TinyRun.Context}");
    }

    [Test]
    public void AParquetFileWithoutTheColumnIsBadData()
    {
        string output = Path.Combine(TinyRun.NewFolder("no-column"), "scored.parquet");
        Fails(Programs.Score("--in", TinyRun.Iteration(1, "rollouts.parquet"), "--out", output, "--rule", TinyRun.Rule, "--response-column", "answer"), Data, "answer");
        NothingIn(output);
    }

    [Test]
    public void TrainingOnRowsWithoutScoresIsBadData()
    {
        string folder = TinyRun.NewFolder("no-scores"), trajectories = Path.Combine(folder, "trajectories.parquet");
        Fails(
            Programs.Optimize("ppo", "--config", TinyRun.Config, "--in", TinyRun.Iteration(1, "rollouts.parquet"), "--trajectories", trajectories, "--policy-out", Path.Combine(folder, "policy"), "--checkpoint-out", Path.Combine(folder, "checkpoint")),
            Data, "no score", "rlhf-score");
        NothingIn(trajectories);
    }

    [Test]
    public void AnOutputBelowAFileCannotBeWritten()
    {
        // Also root cannot make a folder below a file.
        string output = Path.Combine(TinyRun.Prompts, "run");
        Fails(Programs.Rlhf("run", TinyRun.Config, "--set", $"output={output}"), Data, TinyRun.Prompts);
        Fails(Programs.Score("--in", TinyRun.Iteration(1, "rollouts.parquet"), "--out", Path.Combine(output, "scored.parquet"), "--rule", TinyRun.Rule), Data, TinyRun.Prompts);
    }

    [Test]
    public void ASecondRunIntoTheSameFolderIsRefused() => Fails(Programs.Rlhf("run", TinyRun.Config), Data, "resume");

    private static string Edited(string name, Func<string, string> edit)
    {
        string config = Path.Combine(TinyRun.NewFolder(name), "config.yaml");
        File.WriteAllText(config, edit(File.ReadAllText(TinyRun.Config)));
        return config;
    }

    private static string Broken(string name, Action<string> breakWeights)
    {
        string policy = Folders.Copy(TinyRun.Policy, Path.Combine(TinyRun.Folder, name));
        breakWeights(Path.Combine(policy, "model.safetensors"));
        return policy;
    }

    private static void FailsToExport(string policy, int code, params string[] words)
    {
        string output = Path.Combine(TinyRun.NewFolder(Path.GetFileName(policy) + "-out"), "onnx");
        Fails(Programs.Optimize("export", "--model", policy, "--out", output), code, words);
        NothingIn(output);
    }

    private static void FailsToGenerate(string policy, string prompts, int code, params string[] words)
    {
        string output = Path.Combine(TinyRun.NewFolder($"generated-{Path.GetFileName(policy)}-{Path.GetFileName(Path.GetDirectoryName(prompts))}"), "rollouts.parquet");
        Fails(Programs.Generate("--policy", policy, "--prompts", prompts, "--out", output, "--max-new-tokens", $"{TinyRun.MaxNewTokens}", "--threads", "1"), code, words);
        NothingIn(output);
    }

    private static void Fails(Ended ended, int code, params string[] words) => Assert.Multiple(() =>
    {
        Assert.That(ended.Code, Is.EqualTo(code), ended.ToString());
        Assert.That(ended.Error, Does.StartWith("error: ").And.Not.Contain("   at "), "a message, not a stack trace");
        foreach (string word in words) Assert.That(ended.Error, Does.Contain(word));
    });

    private static void NothingIn(string output) => Assert.That(Directory.GetFileSystemEntries(Path.GetDirectoryName(output)!), Is.Empty, "nothing half-written");
}
