using System.Diagnostics;
using Rlhf.Core;

namespace Rlhf.Pipeline.Bench;

/// <summary>What the kill loop is asked for.</summary>
public sealed record BenchKillsOptions
{
    public ulong Seed { get; init; } = 1;
    public int Count { get; init; } = 60;
    public int Iterations { get; init; } = 6;

    /// <summary>kill, term or mixed.</summary>
    public string Signal { get; init; } = "kill";

    /// <summary>Where the runs go; it must be empty or absent.</summary>
    public required string Folder { get; init; }
}

/// <summary>One kill as it happened.</summary>
public sealed record KillDone(int Number, int Iteration, string Stage, string Signal, double MillisecondsIn, int Checkpoints, string Ended);

/// <summary>What the kill loop found.</summary>
public sealed record BenchKillsResult(IReadOnlyList<KillDone> Kills, int Late, int Files, long Bytes, double Seconds)
{
    /// <summary>Kills of each stage.</summary>
    public IReadOnlyDictionary<string, int> PerStage => Kills.GroupBy(k => k.Stage).ToDictionary(g => g.Key, g => g.Count());
}

/// <summary>
/// A run of the shipped models, killed at random moments and resumed each time, must end with the bytes of one that was left alone.
/// </summary>
public static class BenchKills
{
    // The run ended before the moment came (the machine is faster than in the uninterrupted run): the same stage again, earlier.
    private const int Attempts = 4;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    /// <exception cref="BadDataException">A resumed run failed, or its files are not those of the uninterrupted run.</exception>
    public static BenchKillsResult Run(BenchKillsOptions options, Action<string> tell, CancellationToken cancellation)
    {
        long started = Stopwatch.GetTimestamp();
        string config = SmallRun.Write(options.Folder, options.Iterations), whole = Path.Combine(options.Folder, "whole"), killed = Path.Combine(options.Folder, "killed");
        tell("the uninterrupted run");
        double[,] durations = Reference(config, whole, options.Iterations);
        IReadOnlyList<KillTarget> plan = KillPlan.Of(options.Seed, options.Count, options.Iterations);
        var done = new List<KillDone>();
        int late = 0;
        for (int i = 0; i < plan.Count; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            string signal = SignalOf(options, i);
            KillTarget target = plan[i];
            KillDone? kill = null;
            for (int attempt = 0; attempt < Attempts && kill is null; attempt++)
            {
                kill = KillOnce(config, killed, Aim(target, killed, options.Iterations), durations, done.Count + 1, signal);
                if (kill is not null) continue;
                late++;
                target = target with { Share = target.Share / 2 };
            }

            if (kill is null) continue;
            done.Add(kill);
            tell($"kill {kill.Number}: {kill.Signal} in iteration {kill.Iteration}, {kill.Stage}, {kill.MillisecondsIn:0} ms in; {kill.Checkpoints} checkpoints whole");
        }

        using (RunProcess last = Begin(config, killed)) Expect(last.Wait(Patience), 0, "the last resume");
        IReadOnlyList<string> differences = RunComparison.Differences(whole, killed);
        if (differences.Count > 0) throw new BadDataException($"{killed} differs from {whole} after {done.Count} kills (seed {options.Seed}): {string.Join("; ", differences.Take(20))}.");
        using (RunProcess inspect = RunProcess.Start("inspect", killed)) Expect(inspect.Wait(Patience), 0, "rlhf inspect");
        (int files, long bytes) = RunComparison.Size(whole);
        return new BenchKillsResult(done, late, files, bytes, Stopwatch.GetElapsedTime(started).TotalSeconds);
    }

    /// <summary>The uninterrupted run; milliseconds of every stage of every iteration, as seen by the files that appear.</summary>
    private static double[,] Reference(string config, string run, int iterations)
    {
        double[,] durations = new double[iterations + 1, KillPlan.Stages.Count];
        var seen = new List<(double At, int Iteration, int Stage)>();
        long started = Stopwatch.GetTimestamp();
        using RunProcess process = Begin(config, run);
        var waiting = new List<(int Iteration, int Stage)>();
        for (int i = 1; i <= iterations; i++)
        {
            for (int s = 1; s < KillPlan.End; s++) waiting.Add((i, s));
        }

        waiting.Add((iterations, KillPlan.End));
        seen.Add((0, 1, KillPlan.Start));
        while (!process.HasExited)
        {
            foreach ((int i, int s) in waiting.Where(w => Path.Exists(KillPlan.Marker(run, w.Iteration, w.Stage))).ToArray())
            {
                seen.Add((Stopwatch.GetElapsedTime(started).TotalMilliseconds, i, s));
                waiting.Remove((i, s));
            }

            Thread.Sleep(1);
        }

        double end = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
        Expect(process.Wait(Patience), 0, "the uninterrupted run");
        for (int k = 0; k < seen.Count; k++) durations[seen[k].Iteration, seen[k].Stage] = (k + 1 < seen.Count ? seen[k + 1].At : end) - seen[k].At;
        for (int i = 2; i <= iterations; i++) durations[i, KillPlan.Start] = durations[1, KillPlan.Start];
        return durations;
    }

    // A kill may have come so late that its iteration was finished all the same: then the next one is aimed at.
    private static KillTarget Aim(KillTarget target, string run, int iterations)
    {
        int finished = Retention.Numbers(Path.Combine(run, "checkpoints")).Where(n => FolderSeal.Exists(Path.Combine(run, "checkpoints", $"{n:0000}"))).DefaultIfEmpty(0).Max();
        if (finished >= iterations && target.Stage != KillPlan.Start) return target with { Stage = KillPlan.End, Iteration = iterations };
        return finished >= target.Iteration ? target with { Iteration = Math.Min(iterations, finished + 1) } : target;
    }

    private static KillDone? KillOnce(string config, string run, KillTarget target, double[,] durations, int number, string signal)
    {
        string marker = target.Stage == KillPlan.Start ? "" : KillPlan.Marker(run, target.Iteration, target.Stage);
        // What an earlier process left under this name is removed or written again before the stage begins.
        DateTime stale = Stamp(marker);
        using RunProcess process = Begin(config, run);
        while (marker.Length > 0 && !process.HasExited && (Stamp(marker) is var now && (now == default || now == stale))) Thread.Sleep(1);
        double delay = target.Share * durations[target.Iteration, target.Stage];
        long from = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(from).TotalMilliseconds < delay && !process.HasExited) Thread.Sleep(1);
        if (process.HasExited)
        {
            Expect(process.Wait(Patience), 0, $"the resume before kill {number}");
            return null;
        }

        double into = Stopwatch.GetElapsedTime(from).TotalMilliseconds;
        string ended = End(process, signal);
        return new KillDone(number, target.Iteration, KillPlan.Stages[target.Stage].Name, signal, into, Retention.Numbers(Path.Combine(run, "checkpoints")).Length, ended);
    }

    private static string End(RunProcess process, string signal)
    {
        if (signal == "KILL")
        {
            process.Kill();
            process.Wait(Patience);
            return "killed";
        }

        if (!OperatingSystem.IsLinux()) throw new ConfigurationException("Signals other than KILL need Linux.");
        Signals.Send(process.Id, Signals.Terminate);
        if (signal == "TERM TERM") Signals.Send(process.Id, Signals.Terminate);
        Ended ended = process.Wait(Patience);
        // Before the handlers are there the signal ends the process by itself (143); a run that was at its very end is done (0).
        if (ended.Code is not (130 or 143 or 0)) throw new BadDataException($"After {signal} the run ended with exit code {ended.Code}: {ended.Error}");
        return $"exit {ended.Code}";
    }

    private static string SignalOf(BenchKillsOptions options, int i) => options.Signal switch
    {
        "term" => "TERM",
        "mixed" => AddressedRandom.Uniform(options.Seed, AddressedRandom.Stream.Data, (uint)i, 2) switch { < 0.5 => "KILL", < 0.8 => "TERM", _ => "TERM TERM" },
        _ => "KILL",
    };

    internal static RunProcess Begin(string config, string run) => File.Exists(Path.Combine(run, "manifest.json"))
        ? RunProcess.Start("resume", run)
        : RunProcess.Start("run", config, "--set", $"output={run}");

    internal static void Expect(Ended ended, int code, string what)
    {
        if (ended.Code != code) throw new BadDataException($"{what} ended with exit code {ended.Code} instead of {code}: {ended.Error}");
    }

    private static DateTime Stamp(string path) => path.Length == 0 || !Path.Exists(path) ? default : File.Exists(path) ? File.GetLastWriteTimeUtc(path) : Directory.GetLastWriteTimeUtc(path);
}
