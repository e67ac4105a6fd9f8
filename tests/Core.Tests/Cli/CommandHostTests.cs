using System.CommandLine;
using NUnit.Framework;

namespace Rlhf.Core.Tests;

[NonParallelizable]
public sealed class CommandHostTests
{
    private static (int Code, string Output, string Error) Run(Func<CommonOptions, CancellationToken, int> action, params string[] args)
    {
        RootCommand root = new("A tool for tests.");
        Command work = CommonOptions.AddTo(new Command("work", "Works."));
        work.SetAction((result, token) => Task.FromResult(action(CommonOptions.Of(result), token)));
        root.Subcommands.Add(work);
        StringWriter output = new() { NewLine = "\n" }, error = new() { NewLine = "\n" };
        int code = CommandHost.Run(args, root, output, error);
        return (code, output.ToString(), error.ToString());
    }

    [Test]
    public void TheCommonOptionsArrive()
    {
        CommonOptions? seen = null;
        (int code, _, string error) = Run((o, _) => { seen = o; return 0; }, "work", "--config", "c.yaml", "--set", "a=1", "--set", "b.c=[1, 2]", "--dry-run", "--log-level", "debug");
        Assert.That(error, Is.Empty);
        Assert.That(code, Is.Zero);
        Assert.That(seen!.Config, Is.EqualTo("c.yaml"));
        Assert.That(seen.Set, Is.EqualTo(new[] { "a=1", "b.c=[1, 2]" }));
        Assert.That((seen.DryRun, seen.LogLevel), Is.EqualTo((true, LogLevel.Debug)));
        Run((o, _) => { seen = o; return 0; }, "work");
        Assert.That((seen.Config, seen.Set.Count, seen.DryRun, seen.LogLevel), Is.EqualTo(((string?)null, 0, false, LogLevel.Info)));
    }

    [Test]
    public void EveryKnownFailureHasItsExitCodeAndOneParagraph()
    {
        RlhfException[] failures = [new ConfigurationException("c"), new BadDataException("c"), new BadModelException("c"), new NumericalException("c"), new EngineException("c")];
        int[] codes = [2, 3, 4, 5, 6];
        for (int i = 0; i < failures.Length; i++)
        {
            (int code, string output, string error) = Run((_, _) => throw failures[i], "work");
            Assert.That((code, output, error), Is.EqualTo((codes[i], "", "error: c\n")));
        }
    }

    [Test]
    public void SeveralProblemsAreAList()
    {
        (int code, _, string error) = Run((_, _) => throw new ConfigurationException(["a.yaml:1: x", "a.yaml:2: y"]), "work");
        Assert.That((code, error.ReplaceLineEndings("\n")), Is.EqualTo((2, "error: 2 problems:\n  a.yaml:1: x\n  a.yaml:2: y\n")));
    }

    [Test]
    public void AWrongOptionIsExitCode2()
    {
        (int code, string output, string error) = Run((_, _) => 0, "work", "--confg", "x");
        Assert.That((code, output), Is.EqualTo((2, "")));
        Assert.That(error, Does.Contain("--confg"));
        Assert.That(error, Does.EndWith("work --help' lists what is known.\n"));
    }

    [TestCase("has no command 'wrk'; did you mean work?", "wrk")]
    [TestCase("has no command 'zzzzzz'; it has: work.", "zzzzzz")]
    [TestCase("needs a command: work.")]
    public void AWrongCommandIsToldWithThoseThereAre(string expected, params string[] arguments)
    {
        (int code, string output, string error) = Run((_, _) => 0, arguments);
        Assert.That((code, output), Is.EqualTo((2, "")));
        Assert.That(error.ReplaceLineEndings("\n"), Does.Match($"^error: '[^']*' {System.Text.RegularExpressions.Regex.Escape(expected)}\n'[^']* --help' lists what is known.\n$"));
    }

    [Test]
    public void HelpIsExitCode0()
    {
        (int code, string output, string error) = Run((_, _) => 0, "work", "--help");
        Assert.That((code, error), Is.EqualTo((0, "")));
        Assert.That(output, Does.Contain("--set <key=value>").And.Contain("--dry-run").And.Contain("--log-level").And.Contain("Works."));
    }

    [Test]
    public void ADefectIsShortUnlessAskedFor()
    {
        (int code, _, string error) = Run((_, _) => throw new InvalidOperationException("boom"), "work");
        Assert.That(code, Is.EqualTo(1));
        string[] lines = error.Split('\n');
        Assert.That(lines[0], Is.EqualTo("error: Unexpected failure (InvalidOperationException): boom"));
        Assert.That(lines[1], Does.Match("^This is a defect of the program\\. The details are in .*rlhf-failure-.*\\.log; --log-level debug shows them here\\.$"));
        string log = lines[1].Split(" are in ")[1].Split(';')[0];
        Assert.That(File.ReadAllText(log), Does.Contain("boom").And.Contain("   at "));
        File.Delete(log);
        (_, _, string full) = Run((_, _) => throw new InvalidOperationException("boom"), "work", "--log-level", "debug");
        Assert.That(full, Does.Contain("   at "));
    }

    private sealed class BridgeMissingException(string message) : DllNotFoundException(message);

    /// <summary>A library that is missing shows inside a static constructor; the user reads what is missing, not which class began.</summary>
    [Test]
    public void AMissingLibraryIsExitCode6WithItsOwnMessage()
    {
        BridgeMissingException bridge = new("The bridge was not found. Run './rlhf setup'.");
        (int code, _, string error) = Run((_, _) => throw new TypeInitializationException("Native", new TypeInitializationException("Inner", bridge)), "work");
        Assert.That((code, error), Is.EqualTo((6, "error: The bridge was not found. Run './rlhf setup'.\n")));
        (code, _, error) = Run((_, _) => throw bridge, "work");
        Assert.That((code, error), Is.EqualTo((6, "error: The bridge was not found. Run './rlhf setup'.\n")));
        (code, _, error) = Run((_, _) => throw new TypeInitializationException("Native", new DllNotFoundException("libx.so: not found.")), "work");
        Assert.That((code, error), Is.EqualTo((6, "error: A native engine cannot be loaded: libx.so: not found. Run './rlhf doctor', which says what is missing, and './rlhf setup', which installs it.\n")));
        (code, _, error) = Run((_, _) => throw new TypeInitializationException("Config", new BadModelException("a.json: bad.")), "work");
        Assert.That((code, error), Is.EqualTo((4, "error: a.json: bad.\n")));
        (code, _, error) = Run((_, _) => throw new TypeInitializationException("Config", new InvalidOperationException("boom")), "work");
        Assert.That((code, error.Split('\n')[0]), Is.EqualTo((1, "error: Unexpected failure (TypeInitializationException): The type initializer for 'Config' threw an exception.")));
    }

    [Test]
    public void AnInterruptedCommandIsExitCode130()
    {
        (int code, _, string error) = Run((_, _) => throw new OperationCanceledException(), "work");
        Assert.That((code, error), Is.EqualTo((130, "Interrupted. Finished files are intact; unfinished ones were removed.\n")));
        (code, _, error) = Run((_, _) => throw new InterruptedException("Stopped after iteration 3; 'rlhf resume runs/a' goes on."), "work");
        Assert.That((code, error), Is.EqualTo((130, "Stopped after iteration 3; 'rlhf resume runs/a' goes on.\n")));
    }

    [Test]
    public void AFailedWriteIsBadData()
    {
        (int code, _, string error) = Run((_, _) => throw new IOException("No space left on device", 28), "work");
        Assert.That((code, error), Is.EqualTo((3, "error: A file could not be read or written: the disk is full. Free some space and run again.\n")));
    }

    /// <summary>The first signal cancels, the second ends the process; the signal is really sent to this process.</summary>
    [Test, CancelAfter(10_000)]
    public void SignalsCancelThenEnd(CancellationToken timeout)
    {
        if (!OperatingSystem.IsLinux()) Assert.Ignore("skipped: sends POSIX signals");
        StringWriter messages = new() { NewLine = "\n" };
        TaskCompletionSource<int> ended = new();
        using InterruptSignals signals = new(messages, ended.SetResult);
        // A process started in the background without job control inherits an ignored SIGINT; SIGTERM then is the signal that counts.
        bool background = IgnoresInterrupt();
        Kill(background ? "TERM" : "INT");
        signals.Token.WaitHandle.WaitOne(5000);
        Assert.That(signals.Token.IsCancellationRequested);
        SpinWait.SpinUntil(() => messages.ToString().EndsWith('\n') && messages.ToString().Length > 1, 5000); // told after it was done
        Assert.That(messages.ToString(), Is.EqualTo($"\nInterrupted: finishing at the next safe point… ({(background ? "a second signal" : "Ctrl-C again")} stops at once)\n"));
        Assert.That(ended.Task.IsCompleted, Is.False);
        Kill("TERM");
        Assert.That(ended.Task.Wait(5000, timeout));
        Assert.That(ended.Task.Result, Is.EqualTo(130));
    }

    private static bool IgnoresInterrupt()
    {
        string line = File.ReadLines("/proc/self/status").First(l => l.StartsWith("SigIgn:", StringComparison.Ordinal));
        return (Convert.ToUInt64(line[7..].Trim(), 16) & 2) != 0;
    }

    private static void Kill(string signal)
    {
        using System.Diagnostics.Process process = System.Diagnostics.Process.Start("/bin/sh", ["-c", $"kill -{signal} {Environment.ProcessId}"]);
        process.WaitForExit();
    }
}
