using System.CommandLine;
using Rlhf.Core;

namespace Rlhf.Pipeline;

/// <summary><c>rlhf report RUN_DIR</c>: makes report.html again, also while the run goes on.</summary>
public static class ReportCommand
{
    public static Command Create()
    {
        var folder = new Argument<string>("RUN_DIR") { Description = "The run directory." };
        var output = new Option<string?>("--out") { Description = "Where to write; report.html of the run by default.", HelpName = "FILE.html" };
        var command = new Command("report", "Writes a run's report.html from its files.") { folder, output };
        CommonOptions.AddTo(command, Offered.DryRun);
        command.SetAction((parsed, _) =>
        {
            using RunDirectory run = RunDirectory.OpenForReading(parsed.GetValue(folder)!);
            string path = parsed.GetValue(output) ?? run.ReportPath;
            if (CommonOptions.Of(parsed).DryRun) System.Console.WriteLine($"would write {RunReport.Read(run).Metrics.Count:N0} iterations → {path}");
            else
            {
                RunReport.Rewrite(run, path);
                System.Console.WriteLine(path);
            }

            return Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }
}
