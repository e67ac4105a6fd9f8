using System.Runtime.InteropServices;
using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Export.Tests;
using Rlhf.Trajectories;

namespace Rlhf.Scoring.Tests;

/// <summary>What is wrong with one row of a table is told with its file and number, whatever window or shard it is in.</summary>
public sealed class RowPlaceTests : Fixture
{
    private const int Rows = 45, Bad = 21, Window = 8; // the bad row is in the third window; windows of a shard begin elsewhere

    private string Input(string bad, string good = "x") => Text("in.jsonl", [.. Enumerable.Range(1, Rows).Select(i => $"{{\"prompt\":\"p{i} \",\"response\":\"{(i == Bad ? bad : good)}\"}}")]);

    private T Fails<T>(string input, IReadOnlyList<RewardSourceConfig> rewards, IReadOnlyList<OutsideReward>? outside = null)
        where T : RlhfException
    {
        using ScoringStage stage = new(rewards, "", 1, outside);
        T? error = null;
        foreach (Shard? shard in (Shard?[])[null, new Shard(1, 3)]) // of 45 rows the second third begins with row 16
        {
            ScoringJob job = new() { Input = input, Output = At("out.parquet"), WindowRows = Window, BatchTokens = 256, Shard = shard };
            T found = Assert.Catch<T>(() => stage.Run(job))!;
            if (error is not null && shard is not null && outside is null) Assert.That(found.Message, Is.EqualTo(error.Message));
            error ??= found;
        }

        return error!;
    }

    [Test]
    public void ARulesReward()
    {
        string lexicon = Text("lexicon.txt", "huge\t1e308");
        string message = Fails<NumericalException>(Input("huge huge"), [new() { Rule = $"lexicon:file={lexicon},per_word=false" }]).Message;
        Assert.That(message, Does.StartWith($"{At("in.jsonl")}, row {Bad}: the rule 'lexicon' gave ").And.Contain("'huge huge'"));
    }

    [Test]
    public void AModelsReward([Values] RewardPer per)
    {
        (string folder, TinyModel model) = Reward("judge");
        // The exporter refuses NaN, so it is put into the exported file: the embedding of one byte.
        byte[] table = MemoryMarshal.AsBytes<float>(model.Parameters["model.embed_tokens.weight"]).ToArray();
        string path = Path.Combine(folder, "model.onnx.data");
        byte[] file = File.ReadAllBytes(path);
        int at = file.AsSpan().IndexOf(table), width = table.Length / 259;
        Assert.That(at, Is.GreaterThanOrEqualTo(0));
        file.AsSpan(at + (Bytes("~")[0] * width), width).Fill(0xFF);
        File.WriteAllBytes(path, file);
        string message = Fails<NumericalException>(Input("a~b", "ab"), [new() { Rule = "variety" }, new() { Model = folder, Per = per }]).Message;
        Assert.That(message, Does.StartWith($"{At("in.jsonl")}, row {Bad}, reward 'judge': the reward model in {folder} gave NaN; expected a finite number."));
    }

    [TestCase("echo good", "The reward program 'word.sh' answered 'good'; expected")]
    [TestCase("echo '{\"reward\": \"high\"}'", "The reward program 'word.sh' answered '\"high\"'; expected")]
    [TestCase("echo '{\"id\": 7, \"reward\": 1}'", "The reward program 'word.sh' answered for row id 7; expected")]
    [TestCase("echo '[1, 2]'", "the reward 'word' (word.sh) gave 2 rewards for a row without response_tokens")]
    [TestCase("echo 1e999", "the reward 'word' (word.sh) gave")]
    public void AProgramsAnswer(string answer, string problem)
    {
        string script = Text("word.sh", $"while read -r line; do case \"$line\" in *odd*) {answer};; *) echo 1;; esac; done");
        OutsideReward outside = new("word", 1, "word.sh", () => new ProgramReward($"/bin/sh '{script}'", TimeSpan.FromSeconds(20)));
        Assert.That(
            Fails<RlhfException>(Input("odd"), [], [outside]).Message.Replace($"/bin/sh '{script}'", "word.sh", StringComparison.Ordinal),
            Does.StartWith($"{At("in.jsonl")}, row {Bad}: {problem}"));
    }

    /// <summary>Padding is negative in tables of others, and a graph would take it for the end of its vocabulary. 259 is one behind it.</summary>
    [TestCase("[70,-100]", "column 'response_tokens' holds -100 at place 2 of 2; token ids are 0 or more. Lists are as long as their texts: write the table without padding.")]
    [TestCase("[-1]", "column 'response_tokens' holds -1 at place 1 of 1; token ids are 0 or more.")]
    [TestCase("[70,259]", "column 'response_tokens' holds 259 at place 2 of 2; {0} knows the ids 0 to 258. The row was tokenised for another model")]
    public void TokenIdsOfATable(string ids, string problem)
    {
        string policy = Policy("policy").Folder, judge = Reward("judge").Folder;
        string input = Text("in.jsonl", [.. Enumerable.Range(1, Rows).Select(i => $"{{\"prompt\":\"\",\"response\":\"C\",\"prompt_tokens\":[0],\"response_tokens\":{(i == Bad ? ids : "[70]")}}}")]);
        Assert.That(Bytes("C"), Is.EqualTo(new[] { 70 }));
        foreach (RewardPer? per in (RewardPer?[])[null, RewardPer.Token, RewardPer.Step])
        {
            string model = per is null ? $"the reference in {policy}" : $"the reward model in {judge}";
            using ScoringStage stage = per is { } p ? new([new() { Model = judge, Per = p }], "", 1) : new([], policy, 1);
            string message = Assert.Throws<BadDataException>(() => stage.Run(new ScoringJob { Input = input, Output = At("out.parquet"), WindowRows = Window, BatchTokens = 256 }))!.Message;
            Assert.That(message, Does.StartWith($"{At("in.jsonl")}, row {Bad}: " + string.Format(System.Globalization.CultureInfo.InvariantCulture, problem, model)));
        }

        if (ids[1] != '7' || !ids.Contains('-', StringComparison.Ordinal)) return;
        // A count of tokens would be wrong too, silently.
        Assert.That(Fails<BadDataException>(input, [new() { Rule = "length:unit=tokens" }]).Message, Does.Contain("holds -100"));
    }

    [TestCase("throw", "failed for 8 rows from {0}, row 17 on: FormatException: I do not read this. --log-level debug")]
    [TestCase("late", "failed for 8 rows from {0}, row 17 on: FormatException: nor this")]
    [TestCase("null", "gave null; expected a list with one reward a row, for 8 rows from {0}, row 17 on.")]
    [TestCase("cancel", "failed for 8 rows from {0}, row 17 on: TaskCanceledException: too slow")]
    public void AnAssemblysFailure(string response, string expected)
    {
        string assembly = typeof(WordCountReward).Assembly.Location;
        OutsideReward outside = new("words", 1, assembly, () => AssemblyReward.Open(assembly));
        Assert.That(
            Fails<EngineException>(Input(response), [], [outside]).Message,
            Does.StartWith($"The reward of the assembly '{assembly}' " + string.Format(System.Globalization.CultureInfo.InvariantCulture, expected, At("in.jsonl"))));
    }

    [Test]
    public void AnAssemblyWhoseConstructorThrows()
    {
        string assembly = typeof(WordCountReward).Assembly.Location;
        AppContext.SetSwitch(WordCountReward.Refuses, true);
        try
        {
            Assert.That(Assert.Throws<EngineException>(() => AssemblyReward.Open(assembly))!.Message, Does.StartWith($"The reward of the assembly '{assembly}' cannot be made: its constructor threw NotSupportedException: not today."));
        }
        finally
        {
            AppContext.SetSwitch(WordCountReward.Refuses, false);
        }
    }

    /// <summary>A step has one value, a token has one: of "ab" that are 2 and 1.</summary>
    [Test]
    public void RewardsOfDifferentLengthsAreNotAdded([Values] bool tokensFirst)
    {
        string folder = Reward("judge").Folder;
        RewardSourceConfig tokens = new() { Name = "tokens", Model = folder, Per = RewardPer.Token }, steps = new() { Name = "steps", Model = folder, Per = RewardPer.Step };
        string message = Fails<BadDataException>(Input("ab"), tokensFirst ? [tokens, new() { Rule = "variety" }, steps] : [steps, tokens]).Message;
        string counts = tokensFirst ? "'tokens' and 'steps' have 2 and 1 values for the response;" : "'steps' and 'tokens' have 1 and 2 values for the response;";
        Assert.That(message, Does.StartWith($"{At("in.jsonl")}, row {Bad}: the rewards " + counts));
    }

    [Test]
    public void TheTallyNamesTheRowToo()
    {
        IReadOnlyList<RewardSource> sources = RewardSource.Open([new() { Name = "a", Rule = "variety" }, new() { Name = "b", Rule = "repetition" }], 1);
        var tally = new ScoringTally(sources, new RowPlace("in.jsonl", 10));
        tally.Add(new RowResult([new(1, [1]), new(2, [2])], null));
        Assert.That(
            Assert.Throws<BadDataException>(() => tally.Add(new RowResult([new(1, [1]), new(2, [1, 1])], null)))!.Message,
            Does.StartWith("in.jsonl, row 12: the rewards 'a' and 'b' have 1 and 2 values for the response;"));
    }
}
