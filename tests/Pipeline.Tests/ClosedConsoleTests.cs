using System.Diagnostics;
using System.Runtime.Versioning;
using Rlhf.Core;

namespace Rlhf.Pipeline.Tests;

/// <summary>
/// The built program with a stderr that cannot be written (a log on a full disk) and with a stdout whose reader is gone: exit codes and files are
/// those of a run that is listened to.
/// </summary>
[SupportedOSPlatform("linux")]
public sealed class ClosedConsoleTests
{
    [SetUp]
    public void OnLinux()
    {
        if (!OperatingSystem.IsLinux()) Assert.Ignore("skipped: needs /dev/full and a shell");
    }

    [TestCase("inspect /no/such/run", ExitCode.BadData)]
    [TestCase("run /no/such/config.yaml", ExitCode.BadConfiguration)]
    [TestCase("no-such-command", ExitCode.BadConfiguration)]
    public void AnErrorThatCannotBeToldKeepsItsExitCode(string arguments, ExitCode expected)
    {
        Assert.That(Shell($"{Rlhf} {arguments} 2>/dev/full").Code, Is.EqualTo((int)expected));
        Assert.That(Shell($"{Rlhf} {arguments} 2>&-").Code, Is.EqualTo((int)expected), "closed");
    }

    /// <summary>Ctrl-C with a full disk behind stderr: the handler must cancel all the same, and not end the process.</summary>
    [Test]
    public void AnInterruptedRunWithoutRoomForItsMessagesGoesOnToTheSameBytes()
    {
        string run = Path.Combine(TinyRun.NewFolder("full log"), "run"), there = Path.Combine(run, "iterations", "0001", "rollouts.parquet");
        using (Process process = Programs.Start("/bin/sh", "-c", $"exec {Rlhf} run '{TinyRun.Config}' --set output='{run}' --log-level debug 2>/dev/full"))
        {
            Task<string> output = process.StandardOutput.ReadToEndAsync();
            while (!process.HasExited && !File.Exists(there)) Thread.Sleep(1);
            Signals.Send(process.Id, Signals.Terminate);
            Assert.That(process.WaitForExit(TimeSpan.FromMinutes(2)));
            Assert.That(process.ExitCode, Is.EqualTo((int)ExitCode.Interrupted), output.Result);
        }

        Ended last = Programs.Rlhf("resume", run);
        Assert.That(last.Code, Is.Zero, last.ToString());
        InterruptedRunTests.Equal(run);
    }

    [Test]
    public void ARunWhoseReaderIsGoneGoesOn()
    {
        string run = Path.Combine(TinyRun.NewFolder("gone reader"), "run");
        Ended ended = Shell($"{{ {Rlhf} run '{TinyRun.Config}' --set output='{run}'; echo \"code $?\" >&2; }} | head -1");
        Assert.That(ended.Error, Does.Contain("code 0"));
        InterruptedRunTests.Equal(run);
    }

    /// <summary>Results that cannot be written are an error; what was done until then is kept.</summary>
    [Test]
    public void ResultsOnAFullDiskEndTheRunWithExitCode3()
    {
        string run = Path.Combine(TinyRun.NewFolder("full results"), "run");
        Ended ended = Shell($"{Rlhf} run '{TinyRun.Config}' --set output='{run}' >/dev/full");
        Assert.That((ended.Code, ended.Error.Contains("the disk is full", StringComparison.Ordinal)), Is.EqualTo(((int)ExitCode.BadData, true)), ended.ToString());
        Assert.That(ended.Error, Does.Contain("iterations are safe. Go on with: ./rlhf resume"));
        Ended last = Programs.Rlhf("resume", run);
        Assert.That(last.Code, Is.Zero, last.ToString());
        InterruptedRunTests.Equal(run);
    }

    private static string Rlhf => $"dotnet '{Programs.Dll("Pipeline", "rlhf")}'";

    private static Ended Shell(string command) => Programs.End(Programs.Start("/bin/sh", "-c", command));
}
