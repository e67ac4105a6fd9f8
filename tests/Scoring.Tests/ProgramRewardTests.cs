using System.Diagnostics;
using System.Globalization;
using NUnit.Framework;
using Rlhf.Core;

namespace Rlhf.Scoring.Tests;

/// <summary>Reward programs that hang, write too much, leave children behind or are interrupted: each ends in time and by its own name.</summary>
public sealed class ProgramRewardTests : Fixture
{
    private const int Count = 300;

    // Longer in all than what pipes and buffers hold: the sender waits in the middle of a row.
    private static readonly RuleInput[] s_long = [.. Enumerable.Range(0, Count).Select(i => new RuleInput("p", new string('x', 2048), null, null))];
    private static readonly RuleInput[] s_short = [.. Enumerable.Range(0, Count).Select(i => new RuleInput("p", "x", null, null))];

    // Far below the sleeps of the programs, far above what a busy machine needs.
    private static readonly TimeSpan s_soon = TimeSpan.FromSeconds(15);

    private static T Fails<T>(string command, RuleInput[] rows, double timeout = 20, CancellationToken cancellation = default)
        where T : Exception
    {
        long start = Stopwatch.GetTimestamp();
        T error = Assert.Catch<T>(() =>
        {
            using ProgramReward program = new(command, TimeSpan.FromSeconds(timeout));
            program.Score(rows, cancellation);
        })!;
        Assert.That(Stopwatch.GetElapsedTime(start), Is.LessThan(s_soon));
        return error;
    }

    [TestCase("sleep 60")]
    [TestCase("sleep 60; true")]
    [TestCase("sleep 60 & exit 3", Description = "the child that stays holds the program's streams open")]
    public void AHangIsNamedHoweverLongTheRows(string command)
    {
        foreach (RuleInput[] rows in (RuleInput[][])[s_long, s_short])
            Assert.That(Fails<EngineException>(command, rows, 0.4).Message, Does.Contain("gave no answer within 0.4 s for a row"));
    }

    [Test]
    public void AHangCanBeInterruptedWhileARowIsStuck()
    {
        using CancellationTokenSource stop = new(400);
        Fails<OperationCanceledException>("sleep 60; true", s_long, cancellation: stop.Token);
    }

    [Test]
    public void AHangEndsTheExecutableWithItsCode()
    {
        string input = Text("in.jsonl", [.. s_long.Select(r => $"{{\"response\":\"{r.Response}\"}}")]);
        (int code, _, string error) = Program("--in", input, "--out", At("out.parquet"), "--reward-program", "sleep 60", "--reward-timeout", "0.5");
        Assert.That((code, error), Is.EqualTo((6, error)));
        Assert.That(error, Does.Contain($"The reward program 'sleep 60' gave no answer within 0.5 s for {input}, row 1."));
    }

    [TestCase("while read -r line; do echo 1; echo 2; done", "'2'")]
    [TestCase("yes 1", "'1'")]
    public void AnswersThatNoRowAskedForAreNoRewards(string command, string answer)
    {
        foreach (RuleInput[] rows in (RuleInput[][])[s_short, s_long, s_short[..1]])
            Assert.That(Fails<BadDataException>(command, rows).Message, Does.Contain("wrote an answer that no row asked for: " + answer));
    }

    [Test]
    public void ASecondAnswerThatComesLaterIsFoundAtTheLastRow() =>
        Assert.That(Fails<BadDataException>("read -r line; echo 1; while read -r line; do echo 1; echo 2; done", s_short).Message, Does.Contain("wrote an answer that no row asked for"));

    [Test]
    public void ALineWithoutAnEndIsCut() =>
        Assert.That(Fails<BadDataException>("read -r line; yes 1 | tr -d '\\n'", s_short).Message, Does.Contain("wrote a line of more than 16777216 characters, which begins with '1111"));

    [Test]
    public void AGreetingIsNoReward() => Assert.That(Fails<BadDataException>("echo ready; while read -r line; do echo 1; done", s_short).Message, Does.Contain("'ready'"));

    [Test]
    public void AfterAFailureItIsStartedAnew()
    {
        string broken = Text("broken");
        string answer = "while read -r line; do id=${line#*:}; echo \"{\\\"id\\\": ${id%%,*}, \\\"reward\\\": 1}\"; done";
        using ProgramReward program = new($"if [ -e '{broken}' ]; then read -r line; echo first words >&2; exit 1; fi; {answer}", TimeSpan.FromSeconds(20));
        Assert.That(Assert.Throws<EngineException>(() => program.Score(s_short, default))!.Message, Does.Contain("ended with exit code 1").And.Contain("its last words: first words"));
        File.Delete(broken);
        for (int window = 0; window < 2; window++) Assert.That(program.Score(s_short, default).Select(v => v.Total), Is.All.EqualTo(1).And.Exactly(Count).Items, "ids go on");
    }

    [Test]
    public void AProgramThatCtrlCReachesFirstIsAnInterruption()
    {
        string ended = At("ended");
        using CancellationTokenSource stop = new();
        Task interrupt = Task.Run(() =>
        {
            while (!File.Exists(ended)) Thread.Sleep(5);
            Thread.Sleep(50); // the program is gone by now
            stop.Cancel();
        });
        Fails<OperationCanceledException>($"read -r line; touch '{ended}'; exit 130", s_short, cancellation: stop.Token);
        interrupt.Wait();
    }

    [Test]
    public void CtrlCForTheWholeProcessGroupEndsTheExecutableAsInterrupted()
    {
        if (!OperatingSystem.IsLinux()) Assert.Ignore("skipped: makes a process group with setsid");
        string input = Text("in.jsonl", "{\"response\":\"x\"}"), started = At("started");
        var info = new ProcessStartInfo(
            "setsid",
            ["dotnet", Path.Combine(AppContext.BaseDirectory, "rlhf-score.dll"), "--in", input, "--out", At("out.parquet"), "--reward-program", $"touch '{started}'; sleep 60; true"])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        using Process process = Process.Start(info)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        while (!File.Exists(started)) Assert.That(process.WaitForExit(5), Is.False, "ended before it was interrupted");
        using (Process kill = Process.Start("/bin/sh", ["-c", string.Create(CultureInfo.InvariantCulture, $"kill -{(IgnoresInterrupt() ? "TERM" : "INT")} -{process.Id}")])) kill.WaitForExit();
        bool isInTime = process.WaitForExit(s_soon);
        process.Kill(entireProcessTree: true);
        Assert.That(isInTime);
        Assert.That((process.ExitCode, error.Result), Is.EqualTo((130, error.Result)));
        Assert.That(error.Result, Does.Contain("Interrupted").And.Not.Contain("error:"));
    }

    // A process started in the background without job control inherits an ignored SIGINT, and so do its children.
    private static bool IgnoresInterrupt()
    {
        string line = File.ReadLines("/proc/self/status").First(l => l.StartsWith("SigIgn:", StringComparison.Ordinal));
        return (Convert.ToUInt64(line[7..].Trim(), 16) & 2) != 0;
    }
}
