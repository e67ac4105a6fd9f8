using System.Diagnostics;
using System.Globalization;
using Rlhf.Core;

namespace Rlhf.Pipeline.Bench;

/// <summary>What the kill loop is asked for.</summary>
public sealed record BenchKillsOptions
{
    public ulong Seed { get; init; } = 1;
    public int Count { get; init; } = 60;
    public int Iterations { get; init; } = 6;

    /// <summary>kill, term, int or mixed.</summary>
    public string Signal { get; init; } = "kill";

    /// <summary>checkpoint_minutes of the killed run; 0: none by the clock.</summary>
    public double CheckpointMinutes { get; init; }

    /// <summary>Where the runs go; it must be empty or absent.</summary>
    public required string Folder { get; init; }
}

/// <summary>One kill as it happened.</summary>
public sealed record KillDone(int Number, int Iteration, string Stage, string Signal, double MillisecondsIn, int Checkpoints, string Ended);

/// <summary>What the kill loop found.</summary>
/// <param name="Kills">In their order.</param>
/// <param name="Late">Aimed at, but the run had ended.</param>
/// <param name="Lost">What was done and done again, by the signal that ended it.</param>
/// <param name="Continued">Iterations that went on from a checkpoint within them.</param>
/// <param name="Files">Files compared.</param>
/// <param name="Bytes">Their size.</param>
/// <param name="Seconds">All of it.</param>
public sealed record BenchKillsResult(IReadOnlyList<KillDone> Kills, int Late, IReadOnlyCollection<LostBySignal> Lost, int Continued, int Files, long Bytes, double Seconds)
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

    /// <exception cref="BadDataException">A resumed run failed, its files are not those of the uninterrupted run, or a signal that it could handle lost minibatches.</exception>
    public static BenchKillsResult Run(BenchKillsOptions options, Action<string> tell, CancellationToken cancellation)
    {
        if (options.Signal is "int" or "mixed") RequireInterrupts();
        long started = Stopwatch.GetTimestamp();
        string config = SmallRun.Write(options.Folder, options.Iterations), whole = Path.Combine(options.Folder, "whole"), killed = Path.Combine(options.Folder, "killed");
        tell("the uninterrupted run");
        double[,] durations = Reference(config, whole, options.Iterations);
        var done = new List<KillDone>();
        var lost = new LostWork();
        int late = 0, continued = 0;
        IReadOnlyList<KillTarget> plan = KillPlan.Of(options.Seed, options.Count, options.Iterations);
        for (int i = 0; i < plan.Count; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            string signal = SignalOf(options, i);
            KillTarget target = plan[i];
            KillDone? kill = null;
            for (int attempt = 0; attempt < Attempts && kill is null; attempt++)
            {
                var watch = new RunWatch();
                kill = KillOnce(options, config, killed, Aim(target, killed, options.Iterations), durations, done.Count + 1, signal, watch);
                lost.Add(watch, kill is null ? "" : signal);
                continued += watch.Continued;
                if (kill is not null) continue;
                late++;
                target = target with { Share = target.Share / 2 };
            }

            if (kill is null) continue;
            done.Add(kill);
            tell($"kill {kill.Number}: {kill.Signal} in iteration {kill.Iteration}, {kill.Stage}, {kill.MillisecondsIn:0} ms in; {kill.Checkpoints} checkpoints whole; {kill.Ended}");
        }

        var rest = new RunWatch();
        using (RunProcess last = Begin(options, config, killed, rest)) Expect(last.Wait(Patience), 0, "the last resume");
        lost.Add(rest, "");
        IReadOnlyList<string> differences = RunComparison.Differences(whole, killed);
        if (differences.Count > 0) throw new BadDataException($"{killed} differs from {whole} after {done.Count} kills (seed {options.Seed}): {string.Join("; ", differences.Take(20))}.");
        using (RunProcess inspect = RunProcess.Start("inspect", killed)) Expect(inspect.Wait(Patience), 0, "rlhf inspect");
        if (lost.Lost.FirstOrDefault(l => l.Signal is "INT" or "TERM" && l.Minibatches > 0) is { } careless)
            throw new BadDataException($"{careless.Minibatches} minibatches were trained again after {careless.Signal}; a signal that the run handles must lose none (seed {options.Seed}).");
        (int files, long bytes) = RunComparison.Size(whole);
        return new BenchKillsResult(done, late, lost.Lost, continued + rest.Continued, files, bytes, Stopwatch.GetElapsedTime(started).TotalSeconds);
    }

    /// <summary>The uninterrupted run; milliseconds of every stage of every iteration, from its beginning to the next one's.</summary>
    private static double[,] Reference(string config, string run, int iterations)
    {
        double[,] durations = new double[iterations + 1, KillPlan.Stages.Count];
        var watch = new RunWatch();
        long started = Stopwatch.GetTimestamp();
        using RunProcess process = Begin(new BenchKillsOptions { Folder = run }, config, run, watch);
        Expect(process.Wait(Patience), 0, "the uninterrupted run");
        double end = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
        StageSeen[] seen = [new(0, 1, KillPlan.Start), .. watch.Stages];
        for (int k = 0; k < seen.Length; k++) durations[seen[k].Iteration, seen[k].Stage] = (k + 1 < seen.Length ? seen[k + 1].At : end) - seen[k].At;
        for (int i = 2; i <= iterations; i++) durations[i, KillPlan.Start] = durations[1, KillPlan.Start];
        return durations;
    }

    // A kill may have come so late that its iteration was finished all the same: then the next one is aimed at.
    private static KillTarget Aim(KillTarget target, string run, int iterations)
    {
        int finished = NumberedFolders.In(Path.Combine(run, "checkpoints")).Where(n => FolderSeal.Exists(Path.Combine(run, "checkpoints", $"{n:0000}"))).DefaultIfEmpty(0).Max();
        if (finished >= iterations && target.Stage != KillPlan.Start) return target with { Stage = KillPlan.End, Iteration = iterations };
        return finished >= target.Iteration ? target with { Iteration = Math.Min(iterations, finished + 1) } : target;
    }

    private static KillDone? KillOnce(BenchKillsOptions options, string config, string run, KillTarget target, double[,] durations, int number, string signal, RunWatch watch)
    {
        using RunProcess process = Begin(options, config, run, watch);
        StageSeen reached = new(0, target.Iteration, KillPlan.Start);
        if (target.Stage != KillPlan.Start)
        {
            while (!process.HasExited && (reached = watch.Stages.FirstOrDefault(s => KillPlan.IsReached(target, s.Iteration, s.Stage))).Iteration == 0) Thread.Sleep(1);
        }

        double delay = reached.Iteration == 0 ? 0 : target.Share * durations[reached.Iteration, reached.Stage];
        long from = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(from).TotalMilliseconds < delay && !process.HasExited) Thread.Sleep(1);
        if (process.HasExited)
        {
            Expect(process.Wait(Patience), 0, $"the resume before kill {number}");
            return null;
        }

        double into = Stopwatch.GetElapsedTime(from).TotalMilliseconds;
        IReadOnlyList<StageSeen> seen = watch.Stages;
        StageSeen at = seen.Count > 0 ? seen[^1] : reached;
        string ended = End(process, signal);
        return new KillDone(number, at.Iteration, KillPlan.Stages[at.Stage], signal, into, NumberedFolders.In(Path.Combine(run, "checkpoints")).Length, ended);
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
        foreach (string one in signal.Split(' ')) Signals.Send(process.Id, one == "INT" ? Signals.Interrupt : Signals.Terminate);
        Ended ended = process.Wait(Patience);
        // Before the handlers are there the signal ends the process by itself (128 + its number); a run that was at its very end is done (0).
        if (ended.Code is not (130 or 143 or 0)) throw new BadDataException($"After {signal} the run ended with exit code {ended.Code}: {ended.Error}");
        string said = ended.Error.Split('\n').LastOrDefault(l => l.StartsWith("Stopped ", StringComparison.Ordinal)) ?? "";
        return $"exit {ended.Code}{(said.Length > 0 ? $": {said.Split(';')[0]}" : "")}";
    }

    /// <summary>A shell without job control starts background programs with SIGINT ignored, and they hand that on.</summary>
    private static void RequireInterrupts()
    {
        if (!OperatingSystem.IsLinux()) throw new ConfigurationException("Signals other than KILL need Linux.");
        string mask = File.ReadLines("/proc/self/status").First(l => l.StartsWith("SigIgn:", StringComparison.Ordinal))["SigIgn:".Length..].Trim();
        if ((Convert.ToUInt64(mask, 16) & 2) != 0) throw new ConfigurationException("SIGINT is ignored here, as it is for programs that a script starts in the background. Start this in the foreground, or by: env --default-signal=INT ./rlhf bench kills …");
    }

    private static string SignalOf(BenchKillsOptions options, int i) => options.Signal switch
    {
        "term" => "TERM",
        "int" => "INT",
        "mixed" => AddressedRandom.Uniform(options.Seed, AddressedRandom.Stream.Data, (uint)i, 2) switch { < 0.35 => "KILL", < 0.65 => "INT", < 0.8 => "TERM", < 0.9 => "INT INT", _ => "TERM TERM" },
        _ => "KILL",
    };

    private static RunProcess Begin(BenchKillsOptions options, string config, string run, RunWatch watch)
    {
        string[] more = ["--log-level", "debug", "--set", string.Create(CultureInfo.InvariantCulture, $"checkpoint_minutes={options.CheckpointMinutes}")];
        return RunProcess.Start([.. Command(config, run), .. more], null, watch.Take);
    }

    internal static RunProcess Begin(string config, string run) => RunProcess.Start(Command(config, run));

    private static string[] Command(string config, string run) => File.Exists(Path.Combine(run, "manifest.json")) ? ["resume", run] : ["run", config, "--set", $"output={run}"];

    internal static void Expect(Ended ended, int code, string what)
    {
        if (ended.Code != code) throw new BadDataException($"{what} ended with exit code {ended.Code} instead of {code}: {ended.Error}");
    }
}
