using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;

namespace Rlhf.Pipeline.Bench;

/// <summary>What one parser did with its share of the mutations.</summary>
public sealed record FuzzRow(string Target, int Read, int Refused, int Bad, double SlowestMilliseconds);

/// <summary>All findings.</summary>
/// <param name="Rows">By parser.</param>
/// <param name="Findings">What must not happen: crashes, hangs, untyped errors, damage not found.</param>
/// <param name="PeakMegabytes">Largest resident memory of a worker, engines and runtime included.</param>
/// <param name="Seconds">Of all.</param>
public sealed record FuzzResult(IReadOnlyList<FuzzRow> Rows, IReadOnlyList<string> Findings, double PeakMegabytes, double Seconds);

/// <summary>
/// Damaged inputs over every parser: each must end in the right result or a typed error, in five seconds and a gigabyte. Workers are processes
/// of their own, so that a crash of a native library is a finding and not the end.
/// </summary>
public static class BenchFuzz
{
    private const int LimitMegabytes = 1024, MostFindings = 50;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5), StartLimit = TimeSpan.FromMinutes(2);

    /// <param name="folder">Empty: the corpus is made in it.</param>
    /// <param name="seed">Of the mutations.</param>
    /// <param name="count">Mutations over all parsers.</param>
    /// <param name="first">Number of the first, to make one finding again.</param>
    /// <param name="only">Only parsers whose name contains this.</param>
    public static FuzzResult Run(string folder, ulong seed, int count, uint first = 0, string only = "")
    {
        long started = Stopwatch.GetTimestamp();
        FuzzTargets.Write(folder);
        Dictionary<string, byte[]> pristine = FuzzTargets.All(folder).SelectMany(t => t.Files).Distinct().ToDictionary(f => Path.Combine(folder, f), f => File.ReadAllBytes(Path.Combine(folder, f)));
        var outcomes = new List<(string Target, string Outcome, double Milliseconds)>();
        var findings = new List<string>();
        double peak = 0;
        uint next = first, end = first + (uint)count;
        while (next < end)
        {
            (uint done, double memory, string? died) = Batch(folder, seed, next, end, only, outcomes, findings);
            peak = Math.Max(peak, memory);
            next = done;
            if (died is null) continue;
            findings.Add(died);
            if (findings.Count >= MostFindings) break;
            // A worker that died could not put its file back.
            foreach ((string file, byte[] bytes) in pristine) File.WriteAllBytes(file, bytes);
        }

        FuzzRow[] rows =
        [
            .. outcomes.GroupBy(o => o.Target).Select(g => new FuzzRow(
                g.Key, g.Count(o => o.Outcome == "ok"), g.Count(o => o.Outcome.StartsWith("refused", StringComparison.Ordinal)),
                g.Count(o => o.Outcome.StartsWith("BAD", StringComparison.Ordinal)), g.Max(o => o.Milliseconds))),
        ];
        if (peak > LimitMegabytes) findings.Add(string.Create(CultureInfo.InvariantCulture, $"a worker used {peak:0} MB; at most {LimitMegabytes} are allowed"));
        return new FuzzResult(rows, findings, peak, Stopwatch.GetElapsedTime(started).TotalSeconds);
    }

    // One worker until it has done all or died; returns the number to go on with.
    private static (uint Next, double Peak, string? Died) Batch(
        string folder, ulong seed, uint from, uint to, string only, List<(string Target, string Outcome, double Milliseconds)> outcomes, List<string> findings)
    {
        CultureInfo c = CultureInfo.InvariantCulture;
        var start = new ProcessStartInfo(Environment.ProcessPath!, [typeof(BenchFuzz).Assembly.Location, "bench", "fuzz", "--worker", folder, "--seed", seed.ToString(c), "--first", from.ToString(c), "--count", (to - from).ToString(c), "--only", only])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        // A managed allocation that follows a size that lies ends in an exception instead of swap.
        start.Environment["DOTNET_GCHeapHardLimit"] = "0x30000000";
        using Process process = Process.Start(start)!;
        var lines = new BlockingCollection<string?>();
        process.OutputDataReceived += (_, line) => lines.Add(line.Data);
        var errors = new List<string>();
        process.ErrorDataReceived += (_, line) =>
        {
            lock (errors) errors.Add(line.Data ?? "");
        };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        uint at = from;
        string target = "";
        bool begun = false;
        double peak = 0;
        while (true)
        {
            if (!lines.TryTake(out string? line, begun ? Limit : StartLimit))
            {
                process.Kill();
                process.WaitForExit();
                return (at + 1, peak, $"{at} ({target}): no end within {(begun ? Limit : StartLimit).TotalSeconds:0} s");
            }

            if (line is null) break;
            string[] words = line.Split(' ', 4);
            if (words[0] == "try")
            {
                (begun, at, target) = (true, uint.Parse(words[1], c), line.Split(' ', 3)[2]);
            }
            else if (words[0] == "done")
            {
                outcomes.Add((target, words[3], double.Parse(words[2], c)));
                if (words[3].StartsWith("BAD", StringComparison.Ordinal)) findings.Add($"{at} ({target}): {words[3]}");
                at++;
            }
            else if (words[0] == "peak")
            {
                peak = double.Parse(words[1], c);
            }
        }

        process.WaitForExit();
        if (at >= to && process.ExitCode == 0) return (to, peak, null);
        lock (errors) return (at + 1, peak, $"{at} ({target}): the process died with exit code {process.ExitCode}: {string.Join(' ', errors.Take(12))}");
    }
}
