using Rlhf.Core;

namespace Rlhf.Pipeline.Tests;

/// <summary>A run that is killed without warning, again and again, and resumed gives the bytes of one that was not.</summary>
public sealed class KilledRunTests
{
    /// <summary>Moments of SIGKILL: each is the appearance of this path; one right after generation, one within training's outputs, one between checkpoint and metrics.</summary>
    private static readonly string[] Moments = ["iterations/0001/rollouts.parquet", "iterations/0002/policy", "checkpoints/0002", "iterations/0003/trajectories.parquet", "checkpoints/0003"];

    [Test]
    public void ResumedAfterEveryKillGivesTheSameBytes()
    {
        string run = Path.Combine(TinyRun.Folder, "killed");
        string[] begin = ["run", TinyRun.Config, "--set", $"output={run}"], resume = ["resume", run];
        for (int i = 0; i < Moments.Length; i++)
        {
            Assert.That(Programs.KillWhenThere(Path.Combine(run, Moments[i]), i == 0 ? begin : resume), $"the program ended before {Moments[i]} was there");
        }

        Ended ended = Programs.Rlhf(resume);
        Assert.That(ended.Code, Is.Zero, ended.ToString());
        Folders.AreEqual(Path.Combine(run, "iterations"), Path.Combine(TinyRun.Run, "iterations"));
        Folders.AreEqual(Path.Combine(run, "checkpoints"), Path.Combine(TinyRun.Run, "checkpoints"));
        Folders.AreEqual(Path.Combine(run, "evaluation"), Path.Combine(TinyRun.Run, "evaluation"));
        Folders.AreEqual(Path.Combine(run, "weights"), Path.Combine(TinyRun.Run, "weights"));
        Folders.AreEqual(Path.Combine(run, "policy"), Path.Combine(TinyRun.Run, "policy"));
        Assert.That(MetricsWithoutTime(run), Is.EqualTo(MetricsWithoutTime(TinyRun.Run)));
        Assert.That(Programs.Rlhf("inspect", run).Code, Is.Zero);
    }

    private static string[] MetricsWithoutTime(string run) => MetricsFile.WithoutTimes(Path.Combine(run, "metrics.jsonl")).Split('\n');
}
