using System.CommandLine;
using System.Globalization;
using Rlhf.Core;

namespace Rlhf.Pipeline.Bench;

/// <summary><c>rlhf bench kills</c>, <c>disk</c> and <c>soak</c>: what docs/robustness.md promises, tried.</summary>
public static class RobustnessCommands
{
    public static Command Kills()
    {
        Option<ulong> seed = new("--seed") { Description = "Draws the moments.", HelpName = "S", DefaultValueFactory = _ => 1 };
        Option<int> count = new("--count") { Description = "Kills.", HelpName = "N", DefaultValueFactory = _ => 60 };
        Option<int> iterations = new("--iterations") { Description = "Iterations of the run.", HelpName = "N", DefaultValueFactory = _ => 6 };
        Option<string> signal = new("--signal") { Description = "kill (SIGKILL), term (SIGTERM), int (SIGINT, as Ctrl-C sends it), mixed (all of them, and two signals at once).", HelpName = "NAME", DefaultValueFactory = _ => "kill" };
        signal.AcceptOnlyFromAmong("kill", "term", "int", "mixed");
        Option<double> minutes = new("--checkpoint-minutes") { Description = "checkpoint_minutes of the killed run; 0: checkpoints within an iteration only when it is interrupted.", HelpName = "M", DefaultValueFactory = _ => 0 };
        Option<string?> folder = Folder();
        Command command = new("kills", "Kills a run of the shipped models at random moments and resumes it each time; at the end every byte must be that of a run left alone.") { seed, count, iterations, signal, minutes, folder };
        CommonOptions.AddTo(command, Offered.LogLevel);
        command.SetAction((parsed, cancellation) =>
        {
            using Workplace place = new(parsed.GetValue(folder), "kills");
            BenchKillsResult result = BenchKills.Run(
                new BenchKillsOptions { Seed = parsed.GetValue(seed), Count = parsed.GetValue(count), Iterations = parsed.GetValue(iterations), Signal = parsed.GetValue(signal)!, CheckpointMinutes = parsed.GetValue(minutes), Folder = place.Path },
                Log.Info, cancellation);
            ConsoleTable table = new("stage", "kills") { Title = $"{result.Kills.Count} kills; {result.Late} more came after the run had ended" };
            foreach (string name in KillPlan.Stages) table.Add(name, result.PerStage.GetValueOrDefault(name).ToString(CultureInfo.InvariantCulture));
            table.Print();
            ConsoleTable lost = new("ended by", "processes", "within training", "minibatches lost", "finished stages made again") { Title = $"{result.Continued} iterations went on from a checkpoint within them" };
            foreach (LostBySignal l in result.Lost) lost.Add(l.Signal, Number(l.Ends), Number(l.InTraining), Number(l.Minibatches), Number(l.Stages));
            lost.Print();
            System.Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{result.Files} files, {result.Bytes:N0} bytes and metrics.jsonl (times aside) are equal to the uninterrupted run's; {result.Seconds:0} s."));
            return Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }

    public static Command Disk()
    {
        Option<ulong> seed = new("--seed") { Description = "Draws the sizes.", HelpName = "S", DefaultValueFactory = _ => 1 };
        Option<int> count = new("--count") { Description = "Full disks.", HelpName = "N", DefaultValueFactory = _ => 6 };
        Option<string?> folder = Folder();
        Command command = new("disk", "A run on disks that run full (small tmpfs) and in a folder that becomes read-only; resumed with room, it must end with the same bytes. Needs root.") { seed, count, folder };
        CommonOptions.AddTo(command, Offered.LogLevel);
        command.SetAction((parsed, _) =>
        {
            using Workplace place = new(parsed.GetValue(folder), "disk");
            if (BenchDisk.Run(place.Path, parsed.GetValue(seed), parsed.GetValue(count), Log.Info) is not { } cases)
            {
                System.Console.WriteLine("skipped: a tmpfs cannot be mounted here (root is needed)");
                return Task.FromResult((int)ExitCode.Done);
            }

            ConsoleTable table = new("case", "outcome");
            foreach (DiskCase done in cases) table.Add(done.Name, done.Outcome);
            table.Print();
            return Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }

    public static Command Soak()
    {
        Option<int> iterations = new("--iterations") { Description = "Iterations.", HelpName = "N", DefaultValueFactory = _ => 200 };
        Option<string?> folder = Folder();
        Command command = new("soak", "Many iterations of a tiny model: memory must be flat after the tenth and iterations must not slow down; and a few of the demo, whose checkpoints must take at most 3 % of the time.") { iterations, folder };
        CommonOptions.AddTo(command, Offered.LogLevel);
        command.SetAction((parsed, _) =>
        {
            using Workplace place = new(parsed.GetValue(folder), "soak");
            IReadOnlyList<SoakNumber> numbers = BenchSoak.Run(place.Path, parsed.GetValue(iterations));
            ConsoleTable table = new("measured", "value", "required", "met");
            foreach (SoakNumber n in numbers) table.Add(n.Name, n.Value, n.Required, n.Required.Length == 0 ? "" : n.Met ? "yes" : "no");
            table.Print();
            return Task.FromResult(numbers.All(n => n.Met) ? (int)ExitCode.Done : CommandHost.UnexpectedFailure);
        });
        return command;
    }

    private static string Number(int n) => n.ToString(CultureInfo.InvariantCulture);

    internal static Option<string?> Folder() => new("--folder") { Description = "Where to work; kept. Without it, a temporary folder that is removed.", HelpName = "DIR" };

    /// <summary>A folder to work in: the one named, or a temporary one that goes with it.</summary>
    internal sealed class Workplace : IDisposable
    {
        private readonly bool _temporary;

        public Workplace(string? named, string what)
        {
            _temporary = named is null;
            Path = named is null ? Directory.CreateTempSubdirectory($"rlhf-{what}-").FullName : System.IO.Path.GetFullPath(named);
            if (named is null) return;
            if (Directory.Exists(Path) && Directory.EnumerateFileSystemEntries(Path).Any()) throw new ConfigurationException($"--folder {named} is not empty; name one that is empty or absent.");
            Directory.CreateDirectory(Path);
        }

        public string Path { get; }

        public void Dispose()
        {
            if (_temporary) Directory.Delete(Path, recursive: true);
        }
    }
}
