using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Models;
using Rlhf.Tokenization;
using Rlhf.Tokenization.Bpe;

namespace Rlhf.Optimization.Tests;

/// <summary>Data as people have it.</summary>
public sealed class RewardDataTests : FolderTest
{
    private Tokenizer _tokenizer = null!;

    [SetUp]
    public void MakeTokenizer()
    {
        Directory.CreateDirectory(At("tokenizer"));
        BpeFolder.Write(new BpeModel(BpeModel.StandardSpecialTokens, []), At("tokenizer"));
        _tokenizer = Tokenizer.Open(At("tokenizer"));
    }

    [TearDown]
    public void CloseTokenizer() => _tokenizer.Dispose();

    private (List<RewardExample> Training, List<RewardExample> HeldOut, string Told) Load(RewardModelConfig config)
    {
        TextWriter before = Console.Out;
        using var told = new StringWriter();
        try
        {
            Console.SetOut(told);
            (List<RewardExample> training, List<RewardExample> heldOut) = RewardData.Load(config, _tokenizer, default);
            return (training, heldOut, told.ToString());
        }
        finally
        {
            Console.SetOut(before);
        }
    }

    private string Lines(string name, params string[] lines) => Text(name, string.Concat(lines.Select(l => l + "\n")));

    private static RewardModelConfig Config(RewardObjective objective, params string[] data) => new() { Objective = objective, Data = data, HeldOutFraction = 0 };

    private string[] Decoded(RewardExample example) => [.. example.Texts.Select(t => _tokenizer.Decode(t))];

    [TestCase("preferred", "dispreferred")]
    [TestCase("winner", "loser")]
    [TestCase("chosen", "rejected")]
    public void PairsInTheColumnNamesThatPeopleHave(string better, string worse)
    {
        (List<RewardExample> training, _, string told) = Load(Config(RewardObjective.Pairwise, Lines("p.jsonl", $$"""{"{{worse}}":"bad","{{better}}":"good","prompt":"q"}""")));
        Assert.That(Decoded(training[0]), Is.EqualTo(new[] { "good", "bad" }));
        Assert.That(told, Does.Contain("prompt_column: prompt"));
        if (better != "chosen") Assert.That(told, Does.Contain($"no column 'chosen'; reading '{better}' (chosen_column)"));
    }

    [Test]
    public void MessageListsAreTheirContents()
    {
        string data = Lines("m.jsonl", """{"chosen":[{"role":"user","content":"Hi "},{"role":"assistant","content":"Hello"}],"rejected":[{"role":"user","content":"Hi "},{"role":"assistant","content":"Go"}]}""");
        Assert.That(Decoded(Load(Config(RewardObjective.Pairwise, data)).Training[0]), Is.EqualTo(new[] { "Hi Hello", "Hi Go" }));
    }

    [TestCase("""{"completion":"t","label":true}""", 1)]
    [TestCase("""{"response":"t","thumbs_up":"down"}""", 0)]
    [TestCase("""{"review":"t","sentiment":"positive"}""", 1)]
    [TestCase("""{"text":"t","label":0}""", 0)]
    [TestCase("""{"text":"t","label":-1}""", 0)]
    [TestCase("""{"text":"t","label":1.0}""", 1)]
    [TestCase("""{"text":"t","label":" Thumbs up "}""", 1)]
    [TestCase("""{"text":"t","label":"thumbs-down"}""", 0)]
    [TestCase("""{"text":"t","label":"dislike"}""", 0)]
    public void LabelsAndThumbs(string row, double label)
    {
        RewardExample example = Load(Config(RewardObjective.Binary, Lines("l.jsonl", row))).Training[0];
        Assert.That((Decoded(example)[0], example.Label), Is.EqualTo(("t", label)));
    }

    [Test]
    public void ScoresAreTakenFromTheColumnThatHoldsThem() =>
        Assert.That(Load(Config(RewardObjective.Regression, Lines("s.csv", "text,rating", "fine,7.5"))).Training[0].Label, Is.EqualTo(7.5));

    [Test]
    public void WhatIsDroppedIsToldByReason()
    {
        string data = Lines("d.jsonl", """{"text":"good","label":1}""", """{"text":"","label":1}""", """{"text":"x","label":2}""", """{"text":"y","label":3}""", """{"text":null,"label":1}""");
        (List<RewardExample> training, _, string told) = Load(Config(RewardObjective.Binary, data) with { MaxLength = 3 });
        Assert.That(training, Has.Count.EqualTo(1));
        Assert.That(told, Does.Contain("left out 2 rows: the label is neither 0 nor 1").And.Contain("left out 1 rows: an empty text").And.Contain("left out 1 rows: a column is null"));
        Assert.That(told, Does.Contain("1 of 1 texts are longer than max_length (3 tokens)"));
    }

    [Test]
    public void EachPairHasItsMargin()
    {
        (List<RewardExample> training, _, string told) = Load(Config(RewardObjective.Pairwise,
            Lines("g.jsonl", """{"chosen":"a","rejected":"b","margin":0.5}""", """{"chosen":"c","rejected":"d","margin":null}""")) with { MarginColumn = "margin" });
        Assert.That(training.Select(e => e.Label), Is.EqualTo(new[] { 0.5 }));
        Assert.That(told, Does.Contain("left out 1 rows: the margin is no number"));
        // r = (1, 0): x = 1 − 0 − (0.5 + 0.5) = 0, so L = ln 2.
        double loss = RewardObjectives.Evaluate(new RewardModelConfig { Objective = RewardObjective.Pairwise, Margin = 0.5 }, [1, 0], [0, 2], [0.5], 1, new double[2]);
        Assert.That(loss, Is.EqualTo(Math.Log(2)).Within(1e-12));
    }

    [Test]
    public void HeldOutFilesAreHeldOutWhole()
    {
        string data = Lines("t.jsonl", """{"text":"a","label":1}"""), held = Lines("h.jsonl", """{"text":"b","label":0}""", """{"text":"c","label":1}""");
        (List<RewardExample> training, List<RewardExample> heldOut, _) = Load(Config(RewardObjective.Binary, data) with { HeldOutFraction = 0.9, HeldOutData = [held] });
        Assert.That((training.Count, heldOut.Count), Is.EqualTo((1, 2)));
    }

    /// <summary>Two hundred samples lie in five blocks: some of them are held out, though people's texts are held out by file.</summary>
    [Test]
    public void ADiscriminatorIsJudgedOnBothSides()
    {
        string data = Lines("t.jsonl", """{"text":"a"}"""), held = Lines("h.jsonl", """{"text":"b"}""");
        string samples = Lines("n.jsonl", [.. Enumerable.Range(0, 200).Select(i => $$"""{"response":"s{{i}}"}""")]);
        (List<RewardExample> training, List<RewardExample> heldOut, _) = Load(Config(RewardObjective.Discriminator, data) with { HeldOutFraction = 0.5, HeldOutData = [held], Negatives = [samples] });
        Assert.That(heldOut.Count(e => e.Label == 1), Is.EqualTo(1));
        Assert.That(heldOut.Count(e => e.Label == 0), Is.GreaterThan(20).And.LessThan(180));
        Assert.That(training.Count + heldOut.Count, Is.EqualTo(202));
    }

    [Test]
    public void DataThatTeachesNothingIsRefused()
    {
        string same = Lines("same.jsonl", """{"text":"a","label":1}""", """{"text":"b","label":1}""", """{"text":"c","label":5}"""), both = Lines("both.jsonl", """{"text":"a","label":1}""", """{"text":"b","label":0}""");
        Assert.That(Told(Config(RewardObjective.Binary, same)), Does.Contain("the label of all 2 training examples is 1; there is nothing to learn"));
        Assert.That(Told(Config(RewardObjective.Huber, same)), Is.Empty);
        Assert.That(Told(Config(RewardObjective.Binary, both)), Is.Empty);
        Assert.That(Told(Config(RewardObjective.Process, Lines("s.jsonl", """{"steps":["a","b"],"step_labels":[0,0]}""", """{"steps":["c"],"step_labels":[0]}"""))), Does.Contain("is 0; there is nothing to learn"));
        Assert.That(Told(Config(RewardObjective.Binary, both) with { Patience = 2, HeldOutFraction = 1e-9 }), Does.Contain("patience needs held-out rows, and none came out: rows are held out in blocks of 50"));
        Assert.That(Assert.Throws<BadDataException>(() => Load(Config(RewardObjective.Binary, both) with { HeldOutFraction = 1 }))!.Message, Does.Contain("all 2 examples are held out"));

        string Told(RewardModelConfig config)
        {
            (List<RewardExample> training, List<RewardExample> heldOut, _) = Load(config);
            try
            {
                RewardData.Check(config, training, heldOut);
                return "";
            }
            catch (BadDataException e)
            {
                return e.Message;
            }
        }
    }

    [Test]
    public void NegativesScoreLowInEachObjective()
    {
        string negatives = Lines("n.jsonl", """{"response":"hacked"}""");
        RewardExample Last(RewardObjective objective, string row) => Load(Config(objective, Lines("x.jsonl", row)) with { Negatives = [negatives] }).Training[^1];
        Assert.That(Last(RewardObjective.Binary, """{"text":"a","label":1}""").Label, Is.Zero);
        Assert.That(Last(RewardObjective.Regression, """{"text":"a","label":3}""").Label, Is.EqualTo(3), "the lowest score there is");
        Assert.That(Decoded(Last(RewardObjective.Pairwise, """{"chosen":"a","rejected":"b"}""")), Is.EqualTo(new[] { "a", "hacked" }));
        RewardExample sample = Last(RewardObjective.Discriminator, """{"text":"written by a person"}""");
        Assert.That((Decoded(sample)[0], sample.Label), Is.EqualTo(("hacked", 0.0)));
        Assert.That(() => Last(RewardObjective.KWise, """{"ranking":["a","b"]}"""), Throws.TypeOf<ConfigurationException>());
        Assert.That(() => Load(Config(RewardObjective.Discriminator, Lines("o.jsonl", """{"text":"a"}"""))), Throws.TypeOf<ConfigurationException>().With.Message.Contains("policy's samples"));
    }

    [Test]
    public void StepsEndWhereTheirTokensEnd()
    {
        string data = Lines("steps.jsonl",
            """{"prompt":"q","steps":["ab","c"],"step_labels":[1,0]}""", """{"prompt":"q","steps":["a"],"step_labels":[1,0]}""", """{"prompt":"q","steps":["a"],"step_labels":[2]}""");
        (List<RewardExample> training, _, string told) = Load(Config(RewardObjective.Process, data) with { PromptColumn = "prompt" });
        RewardExample example = training.Single();
        int start = _tokenizer.EncodePrompt("q").Length;
        Assert.That(example.StepEnds, Is.EqualTo(new[] { start + 1, start + 2 }));
        Assert.That(example.StepLabels, Is.EqualTo(new double[] { 1, 0 }));
        Assert.That(told, Does.Contain("steps and labels differ in number").And.Contain("a step's label is neither 0 nor 1"));
    }

    // 1-2: the first, 1-3: the first, 1-4: none, 2-3: the second, 2-4: the second, 3-4: the second: wins 2½, 0, 1, 2½: a tie at the top.
    // With 1-4 for the fourth: 2, 0, 1, 3: 4, 1, 3, 2.
    [Test]
    public void QaFeedbackBecomesPairsAndRankings()
    {
        static string Question(string preference) => $$$"""{"question":"q","prediction 1":"a","prediction 2":"b","prediction 3":"c","prediction 4":"d","preference":{{{preference}}},"feedback":{"errors":[{"start":0,"end":1}]}}""";
        string file = Text("qa.json", $"[{Question("[1,1,0,2,2,2]")},{Question("[1,1,2,2,2,2]")}]");
        QaFeedback.Summary summary = QaFeedback.Convert(file, At("qa"), 0, 1);
        Assert.That(summary, Is.EqualTo(new QaFeedback.Summary(1, 1, 6, 2, 2)));
        RewardExample ranking = Load(Config(RewardObjective.KWise, Path.Combine(At("qa"), "rankings.train.jsonl"))).Training.Single();
        Assert.That(Decoded(ranking), Is.EqualTo(new[] { "d", "a", "c", "b" }));
        List<RewardExample> pairs = Load(Config(RewardObjective.Pairwise, Path.Combine(At("qa"), "pairs.train.jsonl"))).Training;
        Assert.That(pairs.Select(p => string.Concat(Decoded(p))), Is.EqualTo(new[] { "ab", "ac", "da", "cb", "db", "dc" }));
        Assert.That(() => QaFeedback.Convert(Text("bad.json", "[{\"question\":\"q\"}]"), At("bad"), 0, 1), Throws.TypeOf<BadDataException>().With.Message.Contains("question 1"));
        Assert.That(() => QaFeedback.Convert(Text("object.json", "{\"a\": 1}"), At("bad"), 0, 1), Throws.TypeOf<BadDataException>().With.Message.Contains("holds Object instead of a list of questions"));
        string nothing = $"[{Question("[1,1,0,2,2,2]").Replace("\"b\"", "null", StringComparison.Ordinal)}]";
        Assert.That(() => QaFeedback.Convert(Text("null.json", nothing), At("bad"), 0, 1), Throws.TypeOf<BadDataException>().With.Message.Contains("question 1: prediction 2 is null"));
    }

    // Errors at 4–6 ("bad" of the second sentence) and at the end of the third.
    [Test]
    public void SentencesWithMarkedErrorsAreSteps()
    {
        (string[] sentences, int[] labels) = QaFeedback.Sentences("One. Two is 2.5 bad! Three? Four", [(6, 8), (20, 21)]);
        Assert.That(sentences, Is.EqualTo(new[] { "One.", " Two is 2.5 bad!", " Three?", " Four" }));
        Assert.That(labels, Is.EqualTo(new[] { 1, 0, 0, 1 }));
        Assert.That(QaFeedback.Sentences("", []).Sentences, Is.Empty);
    }

    // Sizes of 3 out of scores 1 to 4: every ranking has different scores, best first, of one prompt, and no text twice.
    [Test]
    public void RatingsBecomeRankings()
    {
        RatedText[] texts = [.. Enumerable.Range(0, 40).Select(i => new RatedText(i % 5 == 0 ? "p" : "q", $"t{i}", 1 + (i % 4)))];
        List<RatedText[]> groups = RatedGroups.Of(texts, 3, 1);
        Assert.Multiple(() =>
        {
            Assert.That(groups, Has.Count.InRange(9, 13));
            Assert.That(groups, Has.All.Matches<RatedText[]>(g => g.Length == 3 && g[0].Score > g[1].Score && g[1].Score > g[2].Score && g.All(t => t.Prompt == g[0].Prompt)));
            Assert.That(groups.SelectMany(g => g).Distinct().Count(), Is.EqualTo(groups.Count * 3));
            Assert.That(RatedGroups.Of(texts, 3, 1).SelectMany(g => g), Is.EqualTo(groups.SelectMany(g => g)));
            Assert.That(RatedGroups.Of(texts, 5, 1), Is.Empty, "there are four scores");
        });
    }

    // Dropped numbers are 0, the others 1 / (1 − p); nothing depends on which texts share a pass.
    [Test]
    public void DropoutIsAddressed()
    {
        float[] both = PooledDropout.Factors(0.25, 1, 2, [7, 9], 400), second = PooledDropout.Factors(0.25, 1, 2, [9], 400);
        Assert.That(both[400..], Is.EqualTo(second));
        Assert.That(both[..400], Is.Not.EqualTo(second));
        Assert.That(both.Distinct().Order(), Is.EqualTo(new[] { 0, 4 / 3f }).Within(1e-6f));
        Assert.That(both.Count(f => f == 0) / 800.0, Is.EqualTo(0.25).Within(0.05));
    }

    /// <summary>After training: rewards of the reference texts have mean 0 and deviation 1, and a temperature is saved.</summary>
    [Test]
    public void GainBiasAndTemperatureAreSavedWithTheModel()
    {
        string data = Lines("r.jsonl", [.. Enumerable.Range(0, 40).Select(i => $$"""{"text":"{{new string((char)('a' + (i % 10)), 3 + (i % 4))}}","score":{{100 + (i % 10)}}}""")]);
        string reference = Lines("ref.jsonl", [.. Enumerable.Range(0, 12).Select(i => $$"""{"response":"{{new string((char)('a' + i), 4)}}"}""")]);
        var config = Config(RewardObjective.Regression, data) with
        {
            Tokenizer = At("tokenizer"), Output = At("out"), NormalizeLabels = true, MaxLength = 16, Epochs = 8, BatchSize = 8, EvaluateEvery = 100, Threads = 1, HeldOutData = [data],
            Architecture = new ArchitectureConfig { HiddenSize = 16, IntermediateSize = 24, Layers = 1, Heads = 2, KeyValueHeads = 1, MaxPositions = 16 },
            Optimizer = new OptimizerConfig { LearningRate = 1e-2 },
        };
        RewardModelStage.Run(config, default);
        Assert.That(Rewards(config, data).Average(), Is.EqualTo(104.5).Within(1.5), "rewards are scores again");
        RewardModelStage.Run(config with { NormalizeOn = [reference] }, default);
        double[] rewards = Rewards(config, reference);
        Assert.That(rewards.Average(), Is.EqualTo(0).Within(1e-4));
        Assert.That(rewards.Average(r => r * r), Is.EqualTo(1).Within(1e-3));

        // With prompts the same texts have other rewards: those are what is normalised then.
        string prompted = Lines("prompted.jsonl", [.. Enumerable.Range(0, 12).Select(i => $$"""{"q":"{{new string((char)('m' - i), 2)}}","response":"{{new string((char)('a' + i), 4)}}"}""")]);
        RewardModelStage.Run(config with { NormalizeOn = [prompted], NormalizePromptColumn = "q" }, default);
        rewards = Rewards(config with { PromptColumn = "q" }, prompted);
        Assert.That((rewards.Average(), rewards.Average(r => r * r)), Is.EqualTo((0.0, 1.0)).Using<(double A, double B)>((x, y) => Math.Abs(x.A - y.A) < 1e-4 && Math.Abs(x.B - y.B) < 1e-3));
        Assert.That(Math.Abs(Rewards(config, reference).Average()), Is.GreaterThan(1e-3), "not the texts alone");

        string labels = Lines("b.jsonl", [.. Enumerable.Range(0, 40).Select(i => $$"""{"text":"{{new string((char)('a' + (i % 10)), 3)}}","label":{{i % 2}}}""")]);
        RewardModelStage.Run(config with { Objective = RewardObjective.Binary, Data = [labels], HeldOutData = [labels], NormalizeLabels = false, Calibrate = true }, default);
        Assert.That(LlamaConfig.Load(At("out")).RewardTemperature, Is.GreaterThan(0).And.Not.EqualTo(1));

        // Trained on without being calibrated again, it has none: the temperature was that of other weights.
        RewardModelStage.Run(config with { Model = At("out"), Architecture = new ArchitectureConfig(), Output = At("further"), Objective = RewardObjective.Binary, Data = [labels], HeldOutData = [labels], NormalizeLabels = false }, default);
        Assert.That(LlamaConfig.Load(At("further")).RewardTemperature, Is.EqualTo(1));
        Assert.That(() => RewardModelStage.Run(config with { Calibrate = true }, default), Throws.TypeOf<ConfigurationException>());
    }

    /// <summary>A process that died after the end was written writes it again: gain and bias are applied to what was trained, not twice.</summary>
    [Test]
    public void TheEndMayBeWrittenTwice()
    {
        var config = new RewardModelConfig { Objective = RewardObjective.Regression, Output = At("twice"), Threads = 1 };
        using LlamaModel trained = LlamaModel.Create(Tiny.Config with { Head = ModelHead.Scalar, RewardGain = 2, RewardBias = 0.5 }, 3);
        trained.Save(config.Output);
        for (int time = 0; time < 2; time++)
        {
            using LlamaModel saved = LlamaModel.Load(config.Output, ModelHead.Scalar, null, c => RewardFinish.AsTrained(c, trained.Config), trainable: false);
            RewardFinish.Save(config, saved, new RewardScorer(saved, config), _tokenizer, (Mean: 4, Deviation: 8), 1, default);
            LlamaConfig now = LlamaConfig.Load(config.Output);
            Assert.That((now.RewardGain, now.RewardBias, now.RewardTemperature), Is.EqualTo((16.0, 8.0, 8.0)), "8 · (2 s + 0.5) + 4 = 16 s + 8");
        }
    }

    /// <summary>A trunk gets the configured head; a reward model keeps its own; both remember how long the texts were.</summary>
    [Test]
    public void PoolingIsThatOfTheConfigurationOrOfTheRewardModel([Values("last", "mean")] string pooling)
    {
        using (LlamaModel trunk = LlamaModel.Create(Tiny.Config with { Head = ModelHead.LanguageModel, MaxPositionEmbeddings = 64 }, 3)) trunk.Save(At("trunk"));
        RewardPooling wanted = pooling == "mean" ? RewardPooling.Mean : RewardPooling.Last, other = pooling == "mean" ? RewardPooling.Last : RewardPooling.Mean;
        var config = new RewardModelConfig { Model = At("trunk"), Pooling = pooling, MaxLength = 9 };
        using (LlamaModel model = StartModel.Scalar(config, _tokenizer))
        {
            Assert.That((model.Config.RewardPooling, model.Config.RewardMaxLength, model.Config.ScoreBias), Is.EqualTo((wanted, 9, false)));
            model.Save(At("reward"));
        }

        using LlamaModel again = StartModel.Scalar(config with { Model = At("reward"), Pooling = other == RewardPooling.Mean ? "mean" : "last", MaxLength = 12 }, _tokenizer);
        Assert.That((again.Config.RewardPooling, again.Config.RewardMaxLength), Is.EqualTo((wanted, 12)));
    }

    /// <summary>A new head on a language model is random at the configured seed; a reward model's own head is kept, whatever the seed.</summary>
    [Test]
    public void ANewHeadIsThatOfTheSeed()
    {
        using (LlamaModel trunk = LlamaModel.Create(Tiny.Config with { Head = ModelHead.LanguageModel }, 3)) trunk.Save(At("trunk"));
        float[] Head(ulong seed, string model)
        {
            using LlamaModel reward = StartModel.Scalar(new RewardModelConfig { Model = At(model), Seed = seed, MaxLength = 8 }, _tokenizer);
            if (model == "trunk") reward.Save(At($"reward {seed}"));
            return reward.Parameters.Span("score.weight").ToArray();
        }

        float[] five = Head(5, "trunk");
        Assert.That(Head(5, "trunk"), Is.EqualTo(five));
        Assert.That(Head(6, "trunk"), Is.Not.EqualTo(five));
        Assert.That(Head(6, "reward 5"), Is.EqualTo(five));
    }

    // r′ = 2r + 3 of r = 4s + 1, T = 5: 8s + 5 and σ(Δr′/10) = σ(Δr/5).
    [Test]
    public void ScalingComposes()
    {
        LlamaConfig scaled = RewardFinish.Scaled(Tiny.Config with { RewardGain = 4, RewardBias = 1 }, 2, 3, 5);
        Assert.That((scaled.RewardGain, scaled.RewardBias, scaled.RewardTemperature), Is.EqualTo((8.0, 5.0, 10.0)));
    }

    private double[] Rewards(RewardModelConfig config, string file)
    {
        using LlamaModel model = LlamaModel.Load(At("out"), ModelHead.Scalar, trainable: false);
        var reading = config with { Objective = RewardObjective.Discriminator, TextColumn = Path.GetFileName(file) is "ref.jsonl" or "prompted.jsonl" ? "response" : "text" };
        return [.. new RewardScorer(model, config).Evaluate(RewardData.All(reading, [file], _tokenizer, default)).Select(s => s[0])];
    }

    /// <summary>Early stopping: a rate of 0 never gets better, so the second evaluation is the last.</summary>
    [Test]
    public void TrainingStopsWhenNothingGetsBetter()
    {
        string data = Lines("e.jsonl", [.. Enumerable.Range(0, 8).Select(i => $$"""{"text":"{{(char)('a' + i)}}","label":{{i % 2}}}""")]);
        var config = Config(RewardObjective.Binary, data) with
        {
            Tokenizer = At("tokenizer"), Output = At("out"), MaxLength = 8, Epochs = 50, BatchSize = 8, EvaluateEvery = 1, Patience = 3, Threads = 1, HeldOutData = [data],
            Architecture = new ArchitectureConfig { HiddenSize = 16, IntermediateSize = 24, Layers = 1, Heads = 2, KeyValueHeads = 1, MaxPositions = 8 },
            Optimizer = new OptimizerConfig { LearningRate = 0 },
        };
        RewardModelStage.Run(config, default);
        MetricRow[] rows = [.. MetricsFile.Read(Path.Combine(At("out"), "reward-model.metrics.jsonl"))];
        Assert.That(rows.Max(r => r.Iteration), Is.LessThan(50));
    }

    [Test]
    public void MasksAndSwapsTakeTheirShare()
    {
        int[] tokens = [1, .. Enumerable.Range(10, 40)];
        var mask = new RewardModelConfig { MaxLength = 64, TokenMask = 0.25 };
        double masked = Enumerable.Range(0, 200).Average(row => RewardAugmentation.Apply(tokens, mask, 60, true, 1, row, 0, maskToken: 2).Count(t => t == 2) / 40.0);
        Assert.That(masked, Is.EqualTo(0.25).Within(0.025));
        int[] swapped = RewardAugmentation.Apply(tokens, new RewardModelConfig { MaxLength = 64, TokenSwap = 0.5 }, 60, true, 1, 3, 0);
        Assert.That(swapped, Is.Not.EqualTo(tokens));
        Assert.That(swapped.Order(), Is.EqualTo(tokens), "nothing is lost");
        Assert.That(swapped[0], Is.EqualTo(1));
    }

    // Discriminator: d⁺ = 0 (one human), d⁻ = 0, 0 (two samples): ½ ln 2 + ½ ln 2, gradient −¼, ⅛, ⅛.
    [Test]
    public void BothSidesOfADiscriminatorCountTheSame()
    {
        double[] gradient = new double[3];
        double loss = RewardObjectives.Evaluate(new RewardModelConfig { Objective = RewardObjective.Discriminator }, [0, 0, 0], [0, 1, 2, 3], [1, 0, 0], 1.0 / 3, gradient);
        Assert.That(loss, Is.EqualTo(Math.Log(2)).Within(1e-12));
        Assert.That(gradient, Is.EqualTo(new[] { -0.25, 0.125, 0.125 }).Within(1e-12));
    }

    /// <summary>∂L/∂r of every objective with all its penalties against central differences.</summary>
    [Test]
    public void GradientsAreThoseOfTheLoss([Values] RewardObjective objective)
    {
        var config = new RewardModelConfig { Objective = objective, Margin = 0.2, CenteringCoefficient = 0.1, ScaleCoefficient = 0.05 };
        bool pairs = objective == RewardObjective.Pairwise, groups = objective is RewardObjective.KWise or RewardObjective.PlackettLuce;
        double[] scores = [0.3, -0.8, 1.4, 0.1];
        int[] offsets = pairs ? [0, 2, 4] : groups ? [0, 3, 4] : [0, 1, 2, 3, 4];
        double[] labels = pairs ? [0.1, 0.4] : groups ? [0, 0] : [1, 0, 1, 0], gradient = new double[4];
        RewardObjectives.Evaluate(config, scores, offsets, labels, 0.25, gradient);
        for (int i = 0; i < 4; i++)
        {
            const double step = 1e-5;
            double Loss(double d) => RewardObjectives.Evaluate(config, [.. scores.Select((r, j) => j == i ? r + d : r)], offsets, labels, 0.25, new double[4]);
            Assert.That(gradient[i], Is.EqualTo((Loss(step) - Loss(-step)) / (2 * step)).Within(1e-8));
        }
    }

    /// <summary>64 scores of 0.1 have a deviation of 1e-17 by rounding; divided by it they would be anything.</summary>
    [Test]
    public void EqualScoresAreNotStandardised()
    {
        List<RewardExample> Equal(double score) => [.. Enumerable.Range(0, 64).Select(i => new RewardExample([[1]], score, i))];
        var config = new RewardModelConfig { Objective = RewardObjective.Regression, NormalizeLabels = true };
        Assert.That(() => RewardFinish.Standardise(config, Equal(0.1), []), Throws.TypeOf<BadDataException>().With.Message.Contains("there is nothing to learn"));
        List<RewardExample> scores = [.. Equal(0.1).Take(32), .. Equal(0.3).Take(32)];
        (double mean, double deviation) = RewardFinish.Standardise(config, scores, []);
        Assert.That((mean, deviation), Is.EqualTo((0.2, 0.1)).Using<(double, double), (double, double)>((a, b) => Math.Abs(a.Item1 - b.Item1) < 1e-12 && Math.Abs(a.Item2 - b.Item2) < 1e-12));
        Assert.That(scores[0].Label, Is.EqualTo(-1).Within(1e-12));
    }
}
