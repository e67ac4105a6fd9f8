using System.Diagnostics;

namespace Rlhf.Pipeline.Tests;

/// <summary>How a program ended.</summary>
internal sealed record Ended(int Code, string Output, string Error)
{
    public override string ToString() => $"exit code {Code}\n{Output}\n{Error}";
}

/// <summary>The built programs, run as processes: what a user gets.</summary>
internal static class Programs
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    public static Ended Rlhf(params string[] args) => Run("Pipeline", "rlhf", args);

    public static Ended Generate(params string[] args) => Run("Generation", "rlhf-generate", args);

    public static Ended Score(params string[] args) => Run("Scoring", "rlhf-score", args);

    public static Ended Optimize(params string[] args) => Run("Optimization", "rlhf-optimize", args);

    public static Ended Run(string project, string program, params string[] args) => End(Start("dotnet", [Dll(project, program), .. args]));

    public static Ended End(Process process)
    {
        using (process)
        {
            // Both pipes are drained at once: a full one would stop the program.
            Task<string> error = process.StandardError.ReadToEndAsync();
            Task<string> output = process.StandardOutput.ReadToEndAsync();
            if (!process.WaitForExit(Patience))
            {
                process.Kill(entireProcessTree: true);
                Assert.Fail($"{process.StartInfo.FileName} {string.Join(' ', process.StartInfo.ArgumentList)} did not end within {Patience}");
            }

            return new Ended(process.ExitCode, output.Result, error.Result);
        }
    }

    /// <summary>Starts `rlhf` and kills it (SIGKILL) as soon as a path exists. False when it ended before.</summary>
    public static bool KillWhenThere(string path, params string[] args) => KillWhenThere(Dll("Pipeline", "rlhf"), path, args);

    public static bool KillWhenThere(string program, string path, string[] args)
    {
        using Process process = Start("dotnet", [program, .. args]);
        Task<string> error = process.StandardError.ReadToEndAsync(), output = process.StandardOutput.ReadToEndAsync();
        var clock = Stopwatch.StartNew();
        while (!process.HasExited && clock.Elapsed < Patience && !Path.Exists(path)) Thread.Sleep(1);
        bool alive = !process.HasExited;
        if (alive) process.Kill();
        process.WaitForExit();
        Task.WaitAll(error, output);
        return alive;
    }

    public static Process Start(string file, params string[] args)
    {
        var start = new ProcessStartInfo(file, args) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Checkout.Root };
        start.Environment["OMP_WAIT_POLICY"] = "PASSIVE";
        return Process.Start(start)!;
    }

    // The programs of the same build as this assembly: …/bin/<configuration>/<framework>/.
    public static string Dll(string project, string program)
    {
        var framework = new DirectoryInfo(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));
        return Path.Combine(Checkout.Root, "src", project, "bin", framework.Parent!.Name, framework.Name, program + ".dll");
    }
}
