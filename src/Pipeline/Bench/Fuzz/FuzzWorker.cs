using System.Diagnostics;
using System.Globalization;
using Rlhf.Core;

namespace Rlhf.Pipeline.Bench;

/// <summary>Tries mutations one after the other inside one process, and says before and after each what it does: the parent sees where it died.</summary>
internal static class FuzzWorker
{
    /// <param name="folder">The corpus; files are damaged in it and put back.</param>
    /// <param name="seed">Of the mutations.</param>
    /// <param name="from">First number.</param>
    /// <param name="to">One past the last.</param>
    /// <param name="only">Only parsers whose name contains this; empty: all.</param>
    /// <param name="output">Lines "try N", "ok N ms", "refused N ms ERROR", "BAD N ms text".</param>
    public static void Run(string folder, ulong seed, uint from, uint to, string only, TextWriter output)
    {
        FuzzTarget[] targets = [.. FuzzTargets.All(folder).Where(t => only.Length == 0 ? !t.Extra : t.Name.Contains(only, StringComparison.OrdinalIgnoreCase))];
        if (targets.Length == 0) throw new ConfigurationException($"--only {only}: no parser's name contains this.");
        Log.Level = LogLevel.Error;
        var expected = new Dictionary<string, string>();
        foreach (FuzzTarget target in targets) expected[target.Name] = target.Use();
        for (uint number = from; number < to; number++)
        {
            FuzzTarget target = targets[(int)(number % targets.Length)];
            string path = Path.Combine(folder, target.Files[(int)(number / targets.Length % target.Files.Count)]);
            byte[] whole = File.ReadAllBytes(path);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"try {number} {target.Name}"));
            output.Flush();
            long started = Stopwatch.GetTimestamp();
            string outcome;
            try
            {
                File.WriteAllBytes(path, FuzzMutator.Mutate(whole, seed, number, FuzzTarget.FormatOf(path)));
                string result = target.Use();
                outcome = target.Sealed && result != expected[target.Name] ? "BAD the damage was not found and what was read is another thing" : "ok";
            }
            catch (RlhfException error)
            {
                outcome = error.Message.Length == 0 ? "BAD an error without a message" : $"refused {error.GetType().Name}";
            }
            catch (Exception error)
            {
                outcome = $"BAD {error.GetType().Name}: {error.Message} {error.StackTrace}".ReplaceLineEndings(" ");
            }
            finally
            {
                File.WriteAllBytes(path, whole);
            }

            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"done {number} {Stopwatch.GetElapsedTime(started).TotalMilliseconds:0} {outcome}"));
            output.Flush();
        }

        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"peak {ResidentMemory.PeakMegabytes():0}"));
    }
}
