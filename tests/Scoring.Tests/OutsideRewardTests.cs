using System.Collections;
using System.Text.Json;
using NUnit.Framework;
using Rlhf.Core;

namespace Rlhf.Scoring.Tests;

/// <summary>Programs, endpoints and assemblies, well-behaved and not.</summary>
public sealed class OutsideRewardTests : Fixture
{
    private static readonly RuleInput[] Rows = [.. Enumerable.Range(0, 600).Select(i => new RuleInput("p", Words((uint)i), null, i == 0 ? "{\"a\":1}" : null))];

    private static IReadOnlyList<RewardValue> Run(string command, double seconds = 20)
    {
        using ProgramReward program = new(command, TimeSpan.FromSeconds(seconds));
        return program.Score(Rows, CancellationToken.None);
    }

    [Test]
    public void AProgramAnswersLineByLine()
    {
        // Each line's length, by a shell: longer than what pipes hold in all.
        IReadOnlyList<RewardValue> values = Run("while IFS= read -r line; do echo \"{\\\"reward\\\": ${#line}}\"; done");
        Assert.That(values.Select(v => v.Total), Is.EqualTo(Rows.Select((r, i) => (double?)RewardJson.Row(r, i).Length)));
    }

    [Test]
    public void AnswersMayBeNullOrPerToken()
    {
        IReadOnlyList<RewardValue> values = Run("while read -r line; do echo null; done");
        Assert.That(values.All(v => v.Total is null));
        Assert.That(Run("while read -r line; do echo '{\"reward\": [0.5, -1]}'; done")[3].PerToken, Is.EqualTo(new[] { 0.5f, -1f }));
    }

    [TestCase("exit 3", "ended with exit code 3 before it had answered every row")]
    [TestCase("echo broken >&2; read -r line; exit 1", "its last words: broken")]
    public void ACrashIsNamed(string command, string expected) => Assert.That(Assert.Throws<EngineException>(() => Run(command))!.Message, Does.Contain(expected));

    [Test]
    public void AHangIsNamed() => Assert.That(Assert.Throws<EngineException>(() => Run("sleep 60", 0.5))!.Message, Does.Contain("gave no answer within 0.5 s"));

    [TestCase("echo good", "answered 'good'; expected {\"reward\": number}")]
    [TestCase("echo '{\"reward\": \"high\"}'", "answered '\"high\"'")]
    [TestCase("echo '{\"id\": 9, \"reward\": 1}'", "answered for row id 9; expected 0")]
    public void NonsenseIsNamed(string answer, string expected) =>
        Assert.That(Assert.Throws<BadDataException>(() => Run($"while read -r line; do {answer}; done"))!.Message, Does.Contain(expected));

    [Test]
    public void AnEndpointIsAskedAgainAfterAFailure()
    {
        int requests = 0;
        using TestEndpoint server = new((lengths, response) =>
        {
            response.StatusCode = Interlocked.Increment(ref requests) % 3 == 1 ? 503 : 200;
            return JsonSerializer.Serialize(new { rewards = lengths });
        });
        using HttpReward reward = new(server.Address, TimeSpan.FromSeconds(20), TimeSpan.FromMilliseconds(1));
        IReadOnlyList<RewardValue> values = reward.Score(Rows, CancellationToken.None);
        Assert.That(values.Select(v => v.Total), Is.EqualTo(Rows.Select(r => (double?)r.Response.Length)));
        Assert.That(requests, Is.GreaterThan(10), "ten batches and their repetitions");
    }

    /// <summary>As seconds or as a date; the own wait would be an hour. A date in the past is no wait.</summary>
    [TestCase("0")]
    [TestCase("Sat, 01 Jan 2000 00:00:00 GMT", Description = "past: the own wait, here of a millisecond")]
    [TestCase("soon")]
    public void AnEndpointSaysHowLongToWait(string after)
    {
        int requests = 0;
        using TestEndpoint server = new((lengths, response) =>
        {
            if (Interlocked.Increment(ref requests) > 1) return JsonSerializer.Serialize(new { rewards = lengths });
            (response.StatusCode, response.Headers["Retry-After"]) = (429, after == "soon" ? DateTimeOffset.UtcNow.AddSeconds(2).ToString("R") : after);
            return "busy";
        });
        TimeSpan own = after.Contains("2000", StringComparison.Ordinal) ? TimeSpan.FromMilliseconds(1) : TimeSpan.FromHours(1);
        using HttpReward reward = new(server.Address, TimeSpan.FromSeconds(20), own);
        using CancellationTokenSource patience = new(TimeSpan.FromSeconds(20));
        Assert.That(reward.Score([Rows[0]], patience.Token)[0].Total, Is.EqualTo(Rows[0].Response.Length));
        Assert.That(requests, Is.EqualTo(2));
    }

    /// <summary>What is wrong with an answer is told with the rows that it was for, and what was expected of an endpoint.</summary>
    [TestCase("<html>", "application/json", "From a row on: The reward endpoint")]
    [TestCase("<html>", "application/json", "answered '<html>'; expected {\"rewards\": […]} with 64 rewards")]
    [TestCase("{\"reward\": 1}", "application/json", "expected {\"rewards\": […]} with 64 rewards")]
    [TestCase("{\"rewards\": [1]}", "application/json; charset=klingon", "gave 1 rewards for 64 rows")]
    [TestCase("{\"rewards\": [\"1\"]}", "", "gave 1 rewards for 64 rows")]
    public void NonsenseOfAnEndpointIsNamed(string answer, string type, string expected)
    {
        using TestEndpoint server = new((_, response) =>
        {
            if (type.Length > 0) response.ContentType = type;
            return answer;
        });
        using HttpReward reward = new(server.Address, TimeSpan.FromSeconds(20), TimeSpan.FromMilliseconds(1));
        Assert.That(Assert.Throws<BadDataException>(() => reward.Score(Rows[..64], CancellationToken.None))!.Message, Does.Contain(expected));
    }

    /// <summary>Told once: the next answer would be as long.</summary>
    [Test]
    public void AnAnswerWithoutEndIsRefused([Values] bool lengthTold)
    {
        int requests = 0;
        string answer = new(' ', HttpReward.LongestAnswer + 1);
        using TestEndpoint server = new((_, response) =>
        {
            requests++;
            if (lengthTold) response.ContentLength64 = answer.Length;
            return answer;
        });
        using HttpReward reward = new(server.Address, TimeSpan.FromSeconds(20), TimeSpan.FromMilliseconds(1));
        Assert.That(
            Assert.Throws<BadDataException>(() => reward.Score(Rows[..64], CancellationToken.None))!.Message,
            Does.StartWith($"The reward endpoint {server.Address} gave an answer of more than 16 MiB for at most 64 rows."));
        Assert.That(requests, Is.EqualTo(1));
    }

    [Test]
    public void AnEndpointThatIsAwayIsNamed()
    {
        using HttpReward reward = new(new Uri("http://127.0.0.1:9/"), TimeSpan.FromSeconds(5), TimeSpan.FromMilliseconds(1));
        Assert.That(Assert.Throws<EngineException>(() => reward.Score([Rows[0]], CancellationToken.None))!.Message, Does.Contain("cannot be reached").And.Contain("4 attempts"));
    }

    [Test]
    public void AnAssemblyBringsAReward()
    {
        using IRewardFunction reward = AssemblyReward.Open(typeof(WordCountReward).Assembly.Location);
        Assert.That(reward.Score([new RuleInput("", "one two", null, null)], default)[0].Total, Is.EqualTo(2));
        Assert.That(Assert.Throws<ConfigurationException>(() => AssemblyReward.Open(typeof(RewardModel).Assembly.Location))!.Message, Does.Contain("found 0 public classes"));
    }

    [Test]
    public void RewardsPerTokenNeedRolloutsOfThatLength()
    {
        OutsideReward outside = new("dense", 1, "test", () => new DenseReward());
        using OutsideRewardSource source = new(outside);
        Assert.That(source.Score([new RuleInput("", "x", 2, null)], 16, default)[0].Total, Is.EqualTo(1.5));
        Assert.That(Assert.Throws<BadDataException>(() => source.Score([new RuleInput("", "x", 3, null)], 16, default))!.Message, Does.Contain("2 rewards for a response of 3 tokens"));
        Assert.That(Assert.Throws<BadDataException>(() => source.Score([new RuleInput("", "x", null, null)], 16, default))!.Message, Does.Contain("need rollouts"));
    }

    private sealed class DenseReward : IRewardFunction
    {
        public IReadOnlyList<RewardValue> Score(IReadOnlyList<RuleInput> rows, CancellationToken cancellation) => [new RewardValue(null, [0.5f, 1])];

        public void Dispose()
        {
        }
    }
}

/// <summary>What a plug-in looks like.</summary>
public sealed class WordCountReward : IRewardFunction
{
    /// <summary>A switch that makes the constructor fail.</summary>
    public const string Refuses = "Rlhf.Scoring.Tests.WordCountReward.Refuses";

    public WordCountReward()
    {
        if (AppContext.TryGetSwitch(Refuses, out bool refuses) && refuses) throw new NotSupportedException("not today.");
    }

    public IReadOnlyList<RewardValue> Score(IReadOnlyList<RuleInput> rows, CancellationToken cancellation)
    {
        if (rows.Any(r => r.Response == "throw")) throw new FormatException("I do not read this.");
        if (rows.Any(r => r.Response == "cancel")) throw new TaskCanceledException("too slow");
        if (rows.Any(r => r.Response == "null")) return null!;
        return rows.Any(r => r.Response == "late") ? new LateRewards(rows.Count) : [.. rows.Select(r => new RewardValue(r.Response.Split(' ').Length))];
    }

    public void Dispose()
    {
    }
}

/// <summary>A list that fails when it is read.</summary>
internal sealed class LateRewards(int count) : IReadOnlyList<RewardValue>
{
    public int Count => count;

    public RewardValue this[int index] => throw new FormatException("nor this");

    public IEnumerator<RewardValue> GetEnumerator() => throw new FormatException("nor this");

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
