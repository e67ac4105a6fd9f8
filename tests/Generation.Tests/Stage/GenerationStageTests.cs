using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Generation.Beams;
using Rlhf.Generation.Ort;
using Rlhf.Trajectories;

namespace Rlhf.Generation.Tests.Stage;

public sealed class GenerationStageTests
{
    private string _folder = "";

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("rlhf-stage-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void TheCommandAndTheWarmStageWriteTheSameBytes()
    {
        string prompts = WritePrompts(12), first = In("first.parquet"), second = In("second.parquet"), third = In("third.parquet");
        PolicyFolder policy = TestPolicies.Stories260K();
        string[] args = ["--policy", policy.Path, "--prompts", prompts, "--samples-per-prompt", "2", "--max-new-tokens", "20", "--seed", "5", "--batch-size", "8", "--threads", "2", "--out"];
        Assert.That(Command([.. args, first], out _), Is.Zero);
        Assert.That(Command([.. args, second], out _), Is.Zero);
        using GenerationStage stage = GenerationStage.Open(policy.Path, threads: 2);
        SamplingOptions sampling = new() { SamplesPerPrompt = 2, MaxNewTokens = 20, Seed = 5, BatchSize = 8 };
        stage.Run(PromptFile.Read(prompts), sampling with { Seed = 6 }, In("other.parquet")); // the engine is warm and has drawn something else
        GenerationSummary summary = stage.Run(PromptFile.Read(prompts), sampling, third);
        Assert.That(File.ReadAllBytes(second), Is.EqualTo(File.ReadAllBytes(first)));
        Assert.That(File.ReadAllBytes(third), Is.EqualTo(File.ReadAllBytes(first)));
        Assert.That(File.ReadAllBytes(In("other.parquet")), Is.Not.EqualTo(File.ReadAllBytes(first)));
        Assert.That(summary.Responses, Is.EqualTo(24));
        List<Rollout> rows = [.. RolloutFile.Read(first)];
        Assert.That(rows, Has.Count.EqualTo(24));
        Assert.That(rows[5].PromptId, Is.EqualTo("2"));
        Assert.That(rows[5].SampleId, Is.EqualTo(1));
        Assert.That(rows[5].PromptTokens[0], Is.EqualTo(1), "BOS");
        Assert.That(rows[5].PolicyHash, Is.EqualTo(policy.Hash()));
    }

    [Test]
    public void ShardsTogetherAreTheWhole()
    {
        string prompts = WritePrompts(7), whole = In("whole.parquet");
        string policy = TestPolicies.Stories260K().Path;
        string[] args = ["--policy", policy, "--prompts", prompts, "--max-new-tokens", "12", "--threads", "2", "--out"];
        Assert.That(Command([.. args, whole], out _), Is.Zero);
        List<Rollout> parts = [];
        for (int i = 0; i < 3; i++)
        {
            string part = In($"part{i}.parquet");
            Assert.That(Command([.. args, part, "--shard", $"{i}/3"], out _), Is.Zero);
            parts.AddRange(RolloutFile.Read(part));
        }

        List<Rollout> all = [.. RolloutFile.Read(whole)];
        foreach (Rollout expected in all) Assert.That(parts.Single(p => p.PromptId == expected.PromptId).ResponseTokens, Is.EqualTo(expected.ResponseTokens));
        Assert.That(parts, Has.Count.EqualTo(all.Count));
    }

    [Test]
    public void BeamSearchOnTheCommandLineWritesTheBestHypotheses()
    {
        PolicyFolder policy = TestPolicies.Stories260K();
        string[] args = ["--policy", policy.Path, "--prompts", WritePrompts(3), "--max-new-tokens", "12", "--beams", "4", "--length-penalty", "0.5", "--samples-per-prompt", "2", "--threads", "2", "--out", In("o.parquet")];
        Assert.That(Command(args, out string told), Is.Zero, told);
        List<Rollout> rows = [.. RolloutFile.Read(In("o.parquet"))];
        Assert.That(rows.Select(r => (r.PromptId, r.SampleId)), Is.EqualTo(Enumerable.Range(0, 6).Select(i => ($"{i / 2}", i % 2))));
        using OrtEngine engine = new(policy, null, new OrtEngineOptions { Threads = 2, Spinning = false });
        foreach (Rollout row in rows)
        {
            BeamHypothesis expected = engine.BeamSearch(new Prompt { Id = "a", Text = "", Tokens = row.PromptTokens }, new() { Beams = 4, LengthPenalty = .5, MaxNewTokens = 12 })[row.SampleId];
            Assert.That(row.ResponseTokens, Is.EqualTo(expected.EndToken is int end ? [.. expected.Tokens, end] : expected.Tokens));
            Assert.That(row.PolicyLogprobs.Sum(p => (double)p), Is.EqualTo(expected.SumLogprob).Within(1e-3));
            double[][] logprobs = WholeSequence.Logprobs(policy, [.. row.PromptTokens, .. row.ResponseTokens], 1);
            for (int i = 0; i < row.ResponseTokens.Length; i++) Assert.That(row.PolicyLogprobs[i], Is.EqualTo(logprobs[row.PromptTokens.Length - 1 + i][row.ResponseTokens[i]]).Within(1e-4));
        }
    }

    [Test]
    public void StopStringsEndResponsesWhereverTokenBordersFall()
    {
        string prompts = WritePrompts(10);
        using GenerationStage stage = GenerationStage.Open(TestPolicies.Stories260K().Path, threads: 2);
        // The vocabulary has 512 short pieces: "the" and " She" are mostly made of several.
        SamplingOptions sampling = new() { MaxNewTokens = 60, BatchSize = 4, StopStrings = [" the", "She", "ed."] };
        stage.Run(PromptFile.Read(prompts), sampling, In("o.parquet"));
        int stopped = 0;
        foreach (Rollout r in RolloutFile.Read(In("o.parquet")))
        {
            bool holds = sampling.StopStrings.Any(s => (" " + r.Response).Contains(s, StringComparison.Ordinal));
            Assert.That(holds, Is.EqualTo(r.FinishReason == FinishReason.Stop), r.Response);
            if (r.FinishReason != FinishReason.Stop) continue;
            stopped++;
            using TokenizerCodec codec = TokenizerCodec.Open(TestPolicies.Stories260K());
            string before = " " + codec.Decode(r.ResponseTokens.AsSpan(0, r.ResponseTokens.Length - 1));
            Assert.That(sampling.StopStrings.Any(s => before.Contains(s, StringComparison.Ordinal)), Is.False, "it ends with the token that completes the stop string");
        }

        Assert.That(stopped, Is.GreaterThan(5));
    }

    [Test]
    public void ACancelledRunLeavesNothing()
    {
        using CancellationTokenSource source = new();
        using GenerationStage stage = GenerationStage.Open(TestPolicies.Stories260K().Path, threads: 2);
        Assert.That(() => stage.Run(PromptFile.Read(WritePrompts(40)), new SamplingOptions { BatchSize = 4 }, In("o.parquet"), _ => source.Cancel(), source.Token),
            Throws.InstanceOf<OperationCanceledException>());
        Assert.That(Directory.GetFiles(_folder).Select(Path.GetFileName), Is.EqualTo(["prompts.jsonl"]));
    }

    /// <summary>Stopped after each part in turn, and once within one: what was finished is taken, and the file is that of a job that was left alone.</summary>
    [Test]
    public void AStoppedJobGoesOnAfterItsLastPart()
    {
        string prompts = WritePrompts(11), whole = In("whole.parquet"), stopped = In("stopped.parquet");
        string policy = TestPolicies.Stories260K().Path;
        SamplingOptions sampling = new() { SamplesPerPrompt = 2, MaxNewTokens = 16, Seed = 5, BatchSize = 3, PartResponses = 6 };
        using (GenerationStage alone = GenerationStage.Open(policy, threads: 2)) alone.Run(PromptFile.Read(prompts), sampling, whole);
        Assert.That(RolloutFile.Read(whole).Select(r => (r.PromptId, r.SampleId)), Is.EqualTo(Enumerable.Range(0, 22).Select(i => ($"{i / 2}", i % 2))));
        foreach (int stop in (int[])[8, 14, 18]) // of 22 rows; parts end after 6, 12 and 18
        {
            using CancellationTokenSource source = new();
            using GenerationStage stage = GenerationStage.Open(policy, threads: 2);
            int rows = 0;
            string told = Assert.Throws<InterruptedException>(() => stage.Run(PromptFile.Read(prompts), sampling, stopped, _ => { if (++rows == stop) source.Cancel(); }, source.Token))!.Message;
            Assert.That(told, Does.StartWith($"Interrupted after {(stop == 18 ? 12 : stop / 6 * 6)} responses, which are kept."));
            Assert.That(stopped, Does.Not.Exist);
        }

        using GenerationStage last = GenerationStage.Open(policy, threads: 2);
        Assert.That(Directory.GetFiles(stopped + ".parts"), Has.Length.EqualTo(2));
        GenerationSummary summary = last.Run(PromptFile.Read(prompts), sampling, stopped);
        Assert.That(File.ReadAllBytes(stopped), Is.EqualTo(File.ReadAllBytes(whole)));
        Assert.That(stopped + ".parts", Does.Not.Exist);
        Assert.That(summary.Responses, Is.EqualTo(22));
        Assert.That(summary.KeptTokens, Is.EqualTo(RolloutFile.Read(whole).Take(12).Sum(r => r.ResponseTokens.Length)));
    }

    /// <summary>Parts of another seed, other prompts or other weights are not taken.</summary>
    [TestCase("seed")]
    [TestCase("prompts")]
    [TestCase("policy")]
    public void PartsOfAnotherJobAreNotTaken(string other)
    {
        SamplingOptions sampling = new() { MaxNewTokens = 8, BatchSize = 3, PartResponses = 4 };
        string before = File.ReadAllText(WritePrompts(12)), output = In("o.parquet");
        using CancellationTokenSource source = new();
        using (GenerationStage stage = GenerationStage.Open(TestPolicies.Stories260K().Path, threads: 2))
        {
            int rows = 0;
            SamplingOptions first = other == "seed" ? sampling with { Seed = 9 } : sampling;
            if (other == "prompts") File.WriteAllText(In("prompts.jsonl"), before.Replace("little", "small", StringComparison.Ordinal));
            Assert.Throws<InterruptedException>(() => stage.Run(PromptFile.Read(In("prompts.jsonl")), first, output, _ => { if (++rows == 9) source.Cancel(); }, source.Token));
        }

        File.WriteAllText(In("prompts.jsonl"), before);
        string policy = other == "policy" ? TestPolicies.Random(512, 8).Path : TestPolicies.Stories260K().Path;
        using GenerationStage now = GenerationStage.Open(policy, threads: 2);
        GenerationSummary summary = now.Run(PromptFile.Read(In("prompts.jsonl")), sampling, output);
        Assert.That(summary.KeptTokens, Is.Zero);
        now.Run(PromptFile.Read(In("prompts.jsonl")), sampling, In("alone.parquet"));
        Assert.That(File.ReadAllBytes(output), Is.EqualTo(File.ReadAllBytes(In("alone.parquet"))));
    }

    /// <summary>What ends a response, how texts become tokens, and the graph decide rows as weights do.</summary>
    [TestCase("genai_config.json", "\"context_length\": 512", "\"context_length\": 96")]
    [TestCase("genai_config.json", "\"eos_token_id\": 2", "\"eos_token_id\": [2, 13]")]
    [TestCase("tokenizer_config.json", "{", "{\"clean_up_tokenization_spaces\": false, ")]
    public void PartsOfAFolderThatWasCorrectedAreNotTaken(string file, string text, string corrected)
    {
        foreach (string from in Directory.GetFiles(TestPolicies.Stories260K().Path)) File.Copy(from, Path.Combine(Directory.CreateDirectory(In("policy")).FullName, Path.GetFileName(from)));
        SamplingOptions sampling = new() { MaxNewTokens = 8, BatchSize = 3, PartResponses = 4 };
        string prompts = WritePrompts(12), output = In("o.parquet");
        void Stop()
        {
            using CancellationTokenSource source = new();
            using GenerationStage stage = GenerationStage.Open(In("policy"), threads: 2);
            int rows = 0;
            Assert.Throws<InterruptedException>(() => stage.Run(PromptFile.Read(prompts), sampling, output, _ => { if (++rows == 9) source.Cancel(); }, source.Token));
        }

        Stop();
        Assert.That(Directory.GetFiles(output + ".parts"), Has.Length.EqualTo(2));
        string path = Path.Combine(In("policy"), file), before = File.ReadAllText(path);
        int at = before.IndexOf(text, StringComparison.Ordinal);
        Assert.That(at, Is.Not.Negative, before);
        File.WriteAllText(path, before[..at] + corrected + before[(at + text.Length)..]);
        Stop();
        Assert.That(Directory.GetFiles(output + ".parts"), Has.Length.EqualTo(4), "drawn again, under other names");
        File.WriteAllText(path, before);
        using GenerationStage last = GenerationStage.Open(In("policy"), threads: 2);
        GenerationSummary summary = last.Run(PromptFile.Read(prompts), sampling, output);
        Assert.That(summary.KeptTokens, Is.EqualTo(RolloutFile.Read(output).Take(8).Sum(r => r.ResponseTokens.Length)), "the first parts are those of this folder");
    }

    /// <summary>By its own name, through a pattern, a link or a linked folder: the prompts stay.</summary>
    [TestCase("prompts.jsonl", "prompts.jsonl")]
    [TestCase("*.jsonl", "prompts.jsonl")]
    [TestCase("prompts.jsonl", "link.jsonl")]
    [TestCase("link.jsonl", "prompts.jsonl")]
    [TestCase("prompts.jsonl", "again/prompts.jsonl")]
    [TestCase("prompts.txt", "prompts.txt")]
    public void PromptsAreNeverReplacedByResponses(string prompts, string output)
    {
        byte[] lines = File.ReadAllBytes(WritePrompts(2));
        File.WriteAllText(In("prompts.txt"), "Once upon a time\n");
        File.CreateSymbolicLink(In("link.jsonl"), In("prompts.jsonl"));
        Directory.CreateSymbolicLink(In("again"), _folder);
        foreach (string more in (string[])["--dry-run", "--log-level=info"])
        {
            Assert.That(Command(["--policy", TestPolicies.Stories260K().Path, "--prompts", In(prompts), "--out", In(output), "--max-new-tokens", "2", "--threads", "2", more], out string told), Is.EqualTo(2), told);
            Assert.That(told, Does.Contain($"'{In(output)}' is both input and output; name another output."));
        }

        using (GenerationStage stage = GenerationStage.Open(TestPolicies.Stories260K().Path, threads: 2))
            Assert.That(() => stage.Run(new GenerationJob { Policy = "", Prompts = In(prompts), Output = In(output) }), Throws.TypeOf<ConfigurationException>());
        Assert.That(File.ReadAllBytes(In("prompts.jsonl")), Is.EqualTo(lines));
        Assert.That(File.ReadAllText(In("prompts.txt")), Is.EqualTo("Once upon a time\n"));
    }

    /// <summary>A run's configuration is for drawing; beam search takes what concerns it and is not refused.</summary>
    [Test]
    public void SettingsOfARunDoNotStandInTheWayOfBeams()
    {
        string[] args = ["--policy", TestPolicies.Stories260K().Path, "--prompts", WritePrompts(1), "--max-new-tokens", "4", "--beams", "2", "--threads", "2", "--out", In("o.parquet")];
        Assert.That(Command([.. args, "--set", "generation.temperature=0.5", "--set", "generation.stop_strings=[the]"], out string told), Is.Zero, told);
        Assert.That(RolloutFile.Read(In("o.parquet")).Count(), Is.EqualTo(1));
    }

    [TestCase("--part-responses 0", 2, "part_responses is 0")]
    [TestCase("--batch-size 2147483647", 2, "batch_size is 2147483647; it must be between 1 and 65536")]
    [TestCase("--repetition-penalty 1e-40", 2, "repetition_penalty is 1E-40; it must be between 0.01 and 100")]
    [TestCase("--temperature 1e-40", 2, "temperature is 1E-40; it must be between 0.01 and 100")]
    [TestCase("--threads -3", 2, "threads is -3; it must be between 0 and 1024")]
    [TestCase("--threads -3 --engine genai", 2, "threads is -3")]
    [TestCase("--length-penalty 2", 2, "--length-penalty is for beam search: give --beams N too")]
    [TestCase("--no-early-stopping true", 2, "--no-early-stopping is for beam search")]
    [TestCase("--beams 2 --stop x", 2, "--stop is for drawing, and --beams searches instead")]
    [TestCase("--beams 2 --min-new-tokens 3", 2, "--min-new-tokens is for drawing")]
    [TestCase("--beams 2 --forbid-token 3 --repetition-penalty 2", 2, "--repetition-penalty is for drawing")]
    [TestCase("--beams 2 --repetition-penalty 2 --forbid-token 3", 2, "--forbid-token is for drawing")]
    [TestCase("--beams 2 --temperature 1 --seed 4", 2, "--seed is for drawing")]
    [TestCase("--temperature 0 --top-p 3", 2, "temperature is 0")]
    [TestCase("--shard 3/3", 2, "--shard is '3/3'")]
    [TestCase("--engine torch", 2, "torch")]
    [TestCase("--prompts nowhere.jsonl", 3, "nowhere.jsonl")]
    [TestCase("--policy nowhere", 4, "there is no such folder")]
    [TestCase("--set generation.top_q=1", 2, "top_q")]
    [TestCase("--out /proc/rollouts.parquet", 3, "/proc")]
    [TestCase("--forbid-token 99999", 2, "99999")]
    [TestCase("--beams 40", 2, "beams is 40")]
    [TestCase("--beams 2 --samples-per-prompt 3", 2, "samples_per_prompt is 3")]
    [TestCase("--beams 2 --engine genai", 2, "--beams needs the engine ort")]
    [TestCase("--device cuda --engine genai", 2, "only the engine ort")]
    public void BadInputHasItsExitCodeAndMessage(string extra, int code, string expected)
    {
        Dictionary<string, string> args = new() { ["--policy"] = TestPolicies.Stories260K().Path, ["--prompts"] = WritePrompts(2), ["--out"] = In("o.parquet"), ["--threads"] = "2" };
        string[] parts = extra.Split(' ');
        for (int i = 0; i < parts.Length; i += 2) args[parts[i]] = parts[i + 1];
        Assert.That(Command([.. args.SelectMany(a => (string[])[a.Key, a.Value])], out string told), Is.EqualTo(code), told);
        Assert.That(told, Does.Contain(expected));
        Assert.That(Directory.GetFiles(_folder).Select(Path.GetFileName), Is.EqualTo(["prompts.jsonl"]));
    }

    [Test]
    public void APromptBeyondTheContextIsBadData()
    {
        File.WriteAllText(In("prompts.jsonl"), $$"""{"prompt": "{{string.Concat(Enumerable.Repeat("once upon ", 400))}}"}""");
        int code = Command(["--policy", TestPolicies.Stories260K().Path, "--prompts", In("prompts.jsonl"), "--out", In("o.parquet"), "--threads", "2"], out string told);
        Assert.That(code, Is.EqualTo(3), told);
        Assert.That(told, Does.Contain("context holds 512"));
        Assert.That(File.Exists(In("o.parquet")), Is.False);
    }

    private string In(string name) => Path.Combine(_folder, name);

    private string WritePrompts(int count)
    {
        string[] openings = ["Once upon a time", "The little dog", "Lily and Tom went", "One day, a", "There was a big"];
        File.WriteAllLines(In("prompts.jsonl"), Enumerable.Range(0, count).Select(i => $$"""{"prompt": "{{openings[i % openings.Length]}}"}"""));
        return In("prompts.jsonl");
    }

    private static int Command(string[] args, out string told)
    {
        using StringWriter error = new(), output = new();
        int code = CommandHost.Run(args, GenerateCommand.Create(), output, error);
        told = error.ToString();
        return code;
    }
}
