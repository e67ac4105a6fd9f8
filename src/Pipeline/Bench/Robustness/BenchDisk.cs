using System.Diagnostics;
using Rlhf.Core;

namespace Rlhf.Pipeline.Bench;

/// <summary>One failure of the disk and how the run met it.</summary>
public sealed record DiskCase(string Name, string Outcome);

/// <summary>
/// A run meets a full disk (a small tmpfs) and a folder that becomes read-only: it must end with exit code 3 and a readable error, and go on
/// to the uninterrupted run's bytes when there is room again. Mounting needs root.
/// </summary>
public static class BenchDisk
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    /// <param name="folder">Empty or absent.</param>
    /// <param name="seed">Draws the sizes and moments.</param>
    /// <param name="count">Full disks.</param>
    /// <param name="tell">Progress.</param>
    /// <returns>The cases, or null where this process may not mount.</returns>
    /// <exception cref="BadDataException">A case did not end as it must.</exception>
    public static IReadOnlyList<DiskCase>? Run(string folder, ulong seed, int count, Action<string> tell)
    {
        const int iterations = 3;
        string config = SmallRun.Write(folder, iterations), whole = Path.Combine(folder, "whole"), disk = Path.Combine(folder, "disk");
        Directory.CreateDirectory(disk);
        if (!Shell("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk)) return null;
        try
        {
            tell("the uninterrupted run");
            long most = 0;
            using (RunProcess process = BenchKills.Begin(config, whole))
            {
                while (!process.HasExited)
                {
                    most = Math.Max(most, Used(whole));
                    Thread.Sleep(20);
                }

                BenchKills.Expect(process.Wait(Patience), 0, "the uninterrupted run");
            }

            var cases = new List<DiskCase>();
            for (int i = 0; i < count; i++) cases.Add(Full(config, whole, disk, (long)(most * (0.05 + (0.9 * AddressedRandom.Uniform(seed, AddressedRandom.Stream.Data, (uint)i)))), tell));
            cases.Add(ReadOnlyFolder(config, whole, Path.Combine(folder, "read-only"), tell));
            return cases;
        }
        finally
        {
            Shell("umount", disk);
        }
    }

    private static DiskCase Full(string config, string whole, string disk, long bytes, Action<string> tell)
    {
        string run = Path.Combine(disk, "run");
        if (Directory.Exists(run)) Directory.Delete(run, recursive: true);
        Require(Shell("mount", "-o", $"remount,size={bytes}", disk), "the tmpfs could not be resized");
        Ended ended;
        using (RunProcess process = BenchKills.Begin(config, run)) ended = process.Wait(Patience);
        BenchKills.Expect(ended, 3, $"a run on a disk of {bytes} bytes");
        string error = ended.Error.Split('\n').LastOrDefault(l => l.StartsWith("error:", StringComparison.Ordinal)) ?? "";
        Require(error.Contains("full", StringComparison.Ordinal) || error.Contains("space", StringComparison.OrdinalIgnoreCase), $"the error does not say that the disk is full: {ended.Error}");
        tell($"full at {bytes / 1024} KiB: {error}");
        string name = $"disk of {bytes / 1024} KiB", outcome;
        if (Directory.Exists(run))
        {
            int safe, checkpoints = NumberedFolders.In(Path.Combine(run, "checkpoints")).Length;
            using (RunDirectory directory = RunDirectory.OpenForReading(run)) safe = directory.FinishedCheckpoints().DefaultIfEmpty(0).Max();
            Require(error.Contains($" {safe} of ", StringComparison.Ordinal), $"the error does not say that {safe} iterations are safe: {ended.Error}");
            outcome = $"exit 3 with {checkpoints} checkpoints; resumed to the same bytes";
        }
        else
        {
            outcome = "exit 3 before the run began, nothing was left; begun again to the same bytes";
        }

        Require(Shell("mount", "-o", "remount,size=4g", disk), "the tmpfs could not be resized");
        Finish(config, run, whole);
        return new DiskCase(name, outcome);
    }

    private static DiskCase ReadOnlyFolder(string config, string whole, string run, Action<string> tell)
    {
        Ended ended;
        string iterations = Path.Combine(run, "iterations");
        using (RunProcess process = BenchKills.Begin(config, run))
        {
            while (!process.HasExited && !Directory.Exists(Path.Combine(run, "checkpoints", "0001"))) Thread.Sleep(1);
            // Root writes where rights forbid it; nobody writes into an immutable folder.
            if (!Shell("chattr", "+i", iterations)) return new DiskCase("read-only folder", "skipped: chattr +i is not possible here");
            ended = process.Wait(Patience);
        }

        Shell("chattr", "-i", iterations);
        BenchKills.Expect(ended, 3, "a run whose folder became read-only");
        tell($"read-only: {ended.Error.Split('\n')[^1]}");
        Finish(config, run, whole);
        return new DiskCase("folder that becomes read-only", "exit 3; resumed to the same bytes");
    }

    private static void Finish(string config, string run, string whole)
    {
        using (RunProcess process = BenchKills.Begin(config, run)) BenchKills.Expect(process.Wait(Patience), 0, "the run that goes on");
        IReadOnlyList<string> differences = RunComparison.Differences(whole, run);
        Require(differences.Count == 0, $"{run} differs from {whole}: {string.Join("; ", differences.Take(20))}");
    }

    private static void Require(bool holds, string problem)
    {
        if (!holds) throw new BadDataException($"{problem}.");
    }

    // Files come and go while they are counted.
    private static long Used(string folder)
    {
        try
        {
            return Directory.Exists(folder) ? new DirectoryInfo(folder).EnumerateFiles("*", SearchOption.AllDirectories).Sum(f => f.Exists ? f.Length : 0) : 0;
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            return 0;
        }
    }

    private static bool Shell(string program, params string[] args)
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(program, args) { RedirectStandardError = true, RedirectStandardOutput = true })!;
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false; // there is no such program
        }
    }
}
