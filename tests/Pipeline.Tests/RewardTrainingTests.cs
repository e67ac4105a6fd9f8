using Rlhf.Core;
using Rlhf.Models;
using Rlhf.Trajectories;

namespace Rlhf.Pipeline.Tests;

/// <summary>A reward model that learns on during a run: what becomes a negative, which model scores what, and that a killed run ends with the same bytes.</summary>
public sealed class RewardTrainingTests
{
    private const int Iterations = 4;
    private static string s_folder = "";
    private static Ended s_outcome = new(-1, "", "");

    private static string Config => Path.Combine(s_folder, "config.yaml");

    private static string Run => Path.Combine(s_folder, "run");

    /// <summary>A run of four iterations whose reward model (random, of two layers) is trained after every second.</summary>
    [OneTimeSetUp]
    public void Make()
    {
        s_folder = TinyRun.NewFolder("reward-training");
        string judge = Path.Combine(s_folder, "judge");
        LlamaConfig shape = LlamaConfig.Load(TinyRun.Policy) with { Head = ModelHead.Scalar, RewardPooling = RewardPooling.Mean, ScoreBias = true };
        using (LlamaModel model = LlamaModel.Create(shape, seed: 11)) model.Save(judge, tokenizerFrom: TinyRun.Policy);
        Labels("labels.jsonl", 96, 0);
        Labels("held-out.jsonl", 48, 1000);
        File.WriteAllText(Path.Combine(s_folder, "judge.yaml"), "objective: binary\ndata: [labels.jsonl]\nheld_out_data: [held-out.jsonl]\nmax_length: 48\ndropout: 0.1\ntoken_noise: 0.1\noptimizer: { epsilon: 1.0e-4 }\n");
        File.WriteAllText(Config, $$"""
            extends: ../config.yaml
            output: run
            iterations: {{Iterations}}
            scoring:
              rewards:
                - { name: judge, model: judge, transform: sigmoid, input: response }
            reward_training:
              reward: judge
              config: judge.yaml
              every: 2
              steps: 6
              learning_rate: 2.0e-3
              batch_size: 8
              adversarial_epsilon: 0.1
              bottom_share: 0.5
              max_negatives: 12
              max_accuracy_drop: 1

            """);
        s_outcome = Programs.Rlhf("run", Config);
    }

    [Test]
    public void ADueTrainingChangesTheRewardOfTheNextIterationsAndIsMeasured()
    {
        Assert.That(s_outcome.Code, Is.Zero, s_outcome.ToString());
        IReadOnlyList<MetricRow> rows = MetricsFile.Read(Path.Combine(Run, "metrics.jsonl"));
        Assert.Multiple(() =>
        {
            Assert.That(rows.Select(r => r.Values.ContainsKey(RewardHistory.Accepted)), Is.EqualTo(new[] { false, true, false, true }));
            Assert.That(RewardHistory.CurrentAt(rows, 1), Is.Zero);
            Assert.That(RewardHistory.CurrentAt(rows, 3), Is.EqualTo(2));
            Assert.That(RewardHistory.CurrentAt(rows, 4), Is.EqualTo(4));
            foreach (MetricRow row in rows.Where(r => r.Values.ContainsKey(RewardHistory.Accepted)))
                Assert.That(row.Values["reward_training/negatives_after"], Is.LessThan(row.Values["reward_training/negatives_before"]), "label 0 pulls them down");
            Assert.That(rows[^1].Values["reward_training/negatives"], Is.EqualTo(12), "the cap");
        });

        // The responses of iteration 3 are scored by the model of iteration 2, those of iteration 2 by the first one: rlhf-score by hand agrees.
        foreach ((int iteration, string model) in new[] { (2, Path.Combine(Run, "rewards", "judge")), (3, Paths(2).Reward) })
        {
            string again = Path.Combine(s_folder, $"again-{iteration}.parquet");
            File.WriteAllText(Path.Combine(s_folder, "only-response.jsonl"), string.Concat(ScoredFile.Read(Paths(iteration).Scored).Select(r => System.Text.Json.JsonSerializer.Serialize(new { response = r.Rollout.Response }) + "\n")));
            Ended ended = Programs.Score("--in", Path.Combine(s_folder, "only-response.jsonl"), "--out", again, "--reward-model", $"judge={model}");
            Assert.That(ended.Code, Is.Zero, ended.ToString());
            double[] by = [.. Rewards(again)];
            double[] run = [.. ScoredFile.Read(Paths(iteration).Scored).Select(r => r.Scores.Rewards["judge"])];
            Assert.That(run, Is.EqualTo(by.Select(x => 1 / (1 + Math.Exp(-x)))).Within(1e-6), $"iteration {iteration}");
        }

        Assert.That(Path.Combine(Run, "evaluation", "retrained", "after.parquet"), Does.Exist);
        Assert.That(Programs.Rlhf("inspect", Run).Code, Is.Zero);
    }

    /// <summary>What is unlikely is told by the first iteration for all: half of its own responses, later as many as are below the same limit.</summary>
    [Test]
    public void NegativesAreTheUnlikelyResponsesWithHighRewards()
    {
        double limit = Selected(1).Max(n => n.ReferenceLogProb);
        ScoredRollout[] first = [.. ScoredFile.Read(Paths(1).Scored)];
        double[] means = [.. first.Select(r => r.Scores.ReferenceLogprobs!.Average(p => (double)p)).Order()];
        Assert.That(limit, Is.LessThanOrEqualTo(means[(first.Length / 2) - 1]));
        for (int i = 1; i <= Iterations; i++)
        {
            double[] rewards = [.. ScoredFile.Read(Paths(i).Scored).Select(r => r.Scores.Rewards["judge"]).OrderDescending()];
            foreach (Negative n in Selected(i).Where(n => n.Iteration == i))
            {
                Assert.That(n.Reward, Is.GreaterThanOrEqualTo(rewards[(rewards.Length / 2) - 1]));
                Assert.That(n.ReferenceLogProb, Is.LessThanOrEqualTo(means[(first.Length / 2) - 1]));
            }
        }
    }

    /// <summary>Killed after the negatives were written, within the reward model's training, between its two folders, and after its checkpoint.</summary>
    [Test]
    public void AKilledRunEndsWithTheSameBytes()
    {
        string run = Path.Combine(s_folder, "killed");
        string[] moments = ["iterations/0002/negatives.parquet", "iterations/0002/reward_weights", "checkpoints/0002", "iterations/0004/negatives.parquet", "iterations/0004/reward", "evaluation/after"];
        for (int i = 0; i < moments.Length; i++)
        {
            string[] command = i == 0 ? ["run", Config, "--set", $"output={run}"] : ["resume", run];
            Assert.That(Programs.KillWhenThere(Path.Combine(run, moments[i]), command), $"the program ended before {moments[i]} was there");
        }

        Ended ended = Programs.Rlhf("resume", run);
        Assert.That(ended.Code, Is.Zero, ended.ToString());
        Equal(run);
    }

    /// <summary>A signal while the reward model is trained: its training begins again, the policy's minibatches of the iteration do not.</summary>
    [Test]
    public void ASignalInTheRewardModelsTrainingLosesNoMinibatch()
    {
        if (!OperatingSystem.IsLinux()) Assert.Ignore("skipped: sends POSIX signals");
        string run = Path.Combine(s_folder, "interrupted");
        List<string> told = [];
        Ended first = InterruptedRunTests.Signalled(told, "iteration 2: reward training", "run", Config, "--set", $"output={run}");
        Assert.That(first.Code, Is.EqualTo(130), first.ToString());
        Assert.That(first.Error, Does.Contain("Stopped in iteration 2, after its last minibatch, checkpointed; 1 of 4 iterations are safe"));
        Ended last = InterruptedRunTests.Signalled(told, "no such line", "resume", run);
        Assert.That(last.Code, Is.Zero, last.ToString());
        Assert.That(told.Count(l => l.Contains("minibatch ", StringComparison.Ordinal) && l.StartsWith("debug:", StringComparison.Ordinal)), Is.EqualTo(4 * Iterations), "no minibatch twice");
        Equal(run);
    }

    [Test]
    public void AnIterationIsMadeAgainWithTheRewardModelOfItsTime()
    {
        foreach (string iteration in (string[])["2", "4"])
        {
            Ended ended = Programs.Rlhf("replay", Run, "--iteration", iteration);
            Assert.That(ended.Code, Is.Zero, ended.ToString());
            foreach (string item in (string[])["scored.parquet", "negatives.parquet", "reward_weights/model.safetensors", "policy/model.onnx.data"])
                Assert.That(ended.Output.Split('\n'), Has.Some.Match($"^\\| {item} +\\| equal"), ended.Output);
        }
    }

    /// <summary>With one checkpoint kept, of the reward models only the one that the next iteration is scored with stays.</summary>
    [Test]
    public void OldRewardModelsGoWithTheirCheckpoints()
    {
        using RunDirectory run = RunDirectory.OpenForWriting(Folders.Copy(Run, Path.Combine(TinyRun.NewFolder("reward-retention"), "run")));
        RunConfig config = run.ReadConfig<RunConfig>() with { KeepCheckpoints = 1, KeepBest = "" };
        MetricRow[] rows = [.. MetricsFile.Read(run.MetricsPath)];
        Retention.Prune(run, config, rows[..3], 3);
        Assert.That(run.Iteration(2).Reward, Does.Exist, "iteration 4 is scored with it");
        Retention.Prune(run, config, rows, 4);
        Assert.That((Directory.Exists(run.Iteration(2).Reward), Directory.Exists(run.Iteration(2).RewardWeights), Directory.Exists(run.Iteration(4).RewardWeights)), Is.EqualTo((false, false, true)));
        Assert.That(run.Inspect().Where(i => !i.IsFinished || i.Problems.Count > 0), Is.Empty);
    }

    [Test]
    public void ADamagedExportIsMadeAgainAndDamagedWeightsAreTold()
    {
        string copy = Folders.Copy(Run, Path.Combine(TinyRun.NewFolder("reward-damaged"), "run")), weights = Path.Combine(copy, "iterations", "0004", "reward_weights", "model.safetensors");
        File.WriteAllText(Path.Combine(copy, "iterations", "0004", "reward", "model.onnx"), "no model");
        Ended ended = Programs.Rlhf("resume", copy);
        Assert.That(ended.Code, Is.Zero, ended.ToString());
        Assert.That(ended.Error, Does.Contain("the exported reward model of iteration 4 is damaged"));
        Equal(copy);

        // Checkpoint 4 goes on with weights that are lost; iteration 4 is made again from checkpoint 3.
        File.WriteAllText(weights, "no weights");
        ended = Programs.Rlhf("resume", copy);
        Assert.That(ended.Code, Is.Zero, ended.ToString());
        Assert.That(ended.Error, Does.Contain("checkpoint 4 cannot be used: what iteration 5 reads is damaged (").And.Contain("reward_weights/model.safetensors"));
        Assert.That(ended.Output, Does.Contain("resuming after iteration 3 of 4"));
        Equal(copy);
    }

    /// <summary>Files that the next iteration reads count as much as the checkpoint: the negatives so far, and the first iteration's responses, without which no checkpoint is of use.</summary>
    [Test]
    public void FilesThatTheNextIterationReadsAreVerified()
    {
        using RunDirectory run = RunDirectory.OpenForReading(Folders.Copy(Run, Path.Combine(TinyRun.NewFolder("reward-files"), "run")));
        RunConfig config = run.ReadConfig<RunConfig>();
        Assert.That(ResumePoint.Find(run, config, restart: false).Iteration, Is.EqualTo(4));
        Flip(run.Iteration(4).Negatives);
        Assert.That(ResumePoint.Find(run, config, restart: false).Iteration, Is.EqualTo(3));
        File.Delete(run.Iteration(3).Negatives);
        Assert.That(ResumePoint.Find(run, config, restart: false).Iteration, Is.EqualTo(2));
        Flip(run.Iteration(2).Trajectories);
        Assert.That(ResumePoint.Find(run, config, restart: false).Iteration, Is.EqualTo(2), "nothing reads these again");
        Flip(run.Iteration(1).Scored);
        Assert.That(() => ResumePoint.Find(run, config, restart: false), Throws.TypeOf<BadDataException>().With.Message.Contains("what iteration 5 reads is damaged").And.Message.Contains("--restart"));
    }

    private static void Flip(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        bytes[^10] ^= 4;
        File.WriteAllBytes(path, bytes);
    }

    /// <summary>Labels turned round and a rate that unlearns everything: the gate keeps the first model.</summary>
    [Test]
    public void AModelThatForgetsIsRefused()
    {
        string run = Path.Combine(s_folder, "refused"), training = Path.Combine(s_folder, "forgets.yaml"), judge = Path.Combine(s_folder, "learnt");
        Ended ended = Programs.Optimize("reward-model", "--config", Path.Combine(s_folder, "judge.yaml"), "--set", $"model={Path.Combine(s_folder, "judge")}", "--set", $"output={judge}", "--set", "max_steps=60", "--set", "epochs=20", "--set", "optimizer.learning_rate=5e-3");
        Assert.That(ended.Code, Is.Zero, ended.ToString());
        string[] lines = File.ReadAllLines(Path.Combine(s_folder, "labels.jsonl"));
        File.WriteAllLines(Path.Combine(s_folder, "turned.jsonl"), lines.Select(l => l.Contains("\"label\":1", StringComparison.Ordinal) ? l.Replace("\"label\":1", "\"label\":0", StringComparison.Ordinal) : l.Replace("\"label\":0", "\"label\":1", StringComparison.Ordinal)));
        File.WriteAllText(training, File.ReadAllText(Path.Combine(s_folder, "judge.yaml")).Replace("data: [labels.jsonl]", "data: [turned.jsonl]", StringComparison.Ordinal));
        ended = Programs.Rlhf("run", Config, "--set", $"output={run}", "--set", "iterations=2", "--set", $"scoring.rewards.0.model={judge}", "--set", $"reward_training.config={training}", "--set", "reward_training.max_accuracy_drop=0.05",
            "--set", "reward_training.steps=40", "--set", "reward_training.learning_rate=0.01");
        Assert.That(ended.Code, Is.Zero, ended.ToString());
        Assert.That(ended.Error, Does.Contain("iteration 2: the reward model as trained anew is refused: its held-out accuracy is"));
        IReadOnlyDictionary<string, double> row = MetricsFile.Read(Path.Combine(run, "metrics.jsonl"))[1].Values;
        Assert.That((row["reward_training/accepted"], row["reward_training/accuracy"] < row["reward_training/accuracy_first"] - 0.05), Is.EqualTo((0.0, true)));
        Assert.That(Path.Combine(run, "iterations", "0002", "reward"), Does.Not.Exist);
        Assert.That(Path.Combine(run, "evaluation", "retrained"), Does.Not.Exist);
    }

    [Test]
    public void WhatCannotBeTrainedIsToldBeforeARunIsMade()
    {
        File.WriteAllText(Path.Combine(s_folder, "ranks.yaml"), "objective: k_wise\ndata: [labels.jsonl]\n");
        foreach ((string set, string expected) in new[]
        {
            ($"scoring.rewards.0.model={Path.Combine(Run, "rewards", "judge")}", "only a Hugging Face folder can go on learning"),
            ("reward_training.config=nowhere.yaml", "reward_training.config: there is no file"),
            ($"reward_training.config={Path.Combine(s_folder, "ranks.yaml")}", "has no place for texts that belong to no comparison"),
        })
        {
            Ended ended = Programs.Rlhf("run", Config, "--set", $"output={Path.Combine(s_folder, "never")}", "--set", set);
            Assert.That(ended.Code, Is.EqualTo(2), ended.ToString());
            Assert.That(ended.Error, Does.Contain(expected));
        }

        Assert.That(Path.Combine(s_folder, "never"), Does.Not.Exist);
    }

    [Test]
    public void ATextIsKeptOnceAndOfTooManyTheSameStayWhateverTheOrder()
    {
        Negative[] rows = [.. Enumerable.Range(0, 40).Select(i => new Negative(1 + (i / 10), $"p{i % 10}", 0, $"prompt {i % 4} ", $"response {i % 30}", 0.75, -8))];
        List<Negative> Merged(IEnumerable<Negative> inTwo, int most, bool responseOnly = false) =>
            NegativesFile.Merge(NegativesFile.Merge([], inTwo.Take(20), responseOnly, most, 3), inTwo.Skip(20), responseOnly, most, 3);
        // Texts repeat after 60 (prompts after 4, responses after 30): 40 rows are 40 texts, but 30 responses.
        Assert.That(Merged(rows, 0), Has.Count.EqualTo(40));
        Assert.That(Merged(rows, 0, responseOnly: true), Has.Count.EqualTo(30));
        Assert.That(Merged([.. rows, .. rows], 0), Has.Count.EqualTo(40));
        List<Negative> seven = Merged(rows, 7);
        Assert.That(seven, Has.Count.EqualTo(7));
        Assert.That(Merged(rows.Reverse(), 7).Select(n => n.Prompt + n.Response), Is.EquivalentTo(seven.Select(n => n.Prompt + n.Response)), "neither order nor the place of the cut matters");
        Assert.That(seven.Select(n => n.Iteration).Distinct().Count(), Is.GreaterThan(1), "old ones share the places with new ones");

        string file = Path.Combine(s_folder, "negatives.parquet");
        NegativesFile.Write(file, seven);
        Assert.That(NegativesFile.Read(file), Is.EqualTo(seven));
        NegativesFile.Write(file, []);
        Assert.That(NegativesFile.Read(file), Is.Empty);
    }

    [Test]
    public void TheBenchTellsWhatItWouldDoAndThatTheReviewsAreMissing()
    {
        string labels = Path.Combine(s_folder, "labels.yaml");
        File.WriteAllText(labels, "objective: binary\ndata: [labels.yaml]\n");
        Ended dry = Programs.Rlhf("bench", "hacking", "--dry-run", "--without-during", "--set", $"reward_training.config={labels}");
        Assert.That(dry.Code, Is.Zero, dry.ToString());
        Assert.That(dry.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries), Has.Length.EqualTo(6), "one run, three ways of mending, the run again, the judgement");
        Assert.That(dry.Output, Does.Contain("would run configs/hacking.yaml, pushed").And.Contain("mended with both in 80 steps").And.Not.Contain("hacking-trained"));
        string missing = Path.Combine(s_folder, "missing.yaml");
        File.WriteAllText(missing, "objective: binary\ndata: [no-reviews.jsonl.gz]\n");
        Ended ended = Programs.Rlhf("bench", "hacking", "--out", Path.Combine(s_folder, "bench"), "--set", $"reward_training.config={missing}");
        Assert.That(ended.Code, Is.EqualTo(3), ended.ToString());
        Assert.That(ended.Error, Does.Contain("no-reviews.jsonl.gz does not exist").And.Contain("labelled IMDb reviews"));
        Assert.That(Path.Combine(s_folder, "bench"), Does.Not.Exist);
    }

    private static IterationPaths Paths(int iteration) => new(Path.Combine(Run, "iterations", $"{iteration:0000}"));

    private static List<Negative> Selected(int iteration) => NegativesFile.Read(Paths(iteration).Negatives);

    private static IEnumerable<double> Rewards(string file)
    {
        using DataReader reader = DataReader.Open(file);
        int column = reader.Require("rewards");
        foreach (RowBatch batch in reader.Batches())
        {
            for (int r = 0; r < batch.Count; r++) yield return batch.GetDoubleMap(column, r)!["judge"];
        }
    }

    private static void Labels(string name, int count, int from) => File.WriteAllLines(Path.Combine(s_folder, name), Enumerable.Range(from, count).Select(i =>
    {
        string[] words = (i % 2 == 0 ? "the long dark rain and the empty house" : "a good warm morning in the wonderful garden").Split(' ');
        string text = string.Join(' ', Enumerable.Range(0, 6).Select(k => words[(i + (k * (1 + (i % 3)))) % words.Length]));
        return System.Text.Json.JsonSerializer.Serialize(new { text, label = i % 2 });
    }));

    private static void Equal(string run)
    {
        foreach (string part in (string[])["iterations", "checkpoints", "evaluation", "weights", "policy"]) Folders.AreEqual(Path.Combine(run, part), Path.Combine(Run, part));
        Assert.That(MetricsFile.WithoutTimes(Path.Combine(run, "metrics.jsonl")), Is.EqualTo(MetricsFile.WithoutTimes(Path.Combine(Run, "metrics.jsonl"))));
    }
}
