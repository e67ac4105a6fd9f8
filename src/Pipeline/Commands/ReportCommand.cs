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
        CommonOptions.AddTo(command, withConfig: false);
        command.SetAction((parsed, _) =>
        {
            using RunDirectory run = RunDirectory.OpenForReading(parsed.GetValue(folder)!);
            RunReport.Rewrite(run, parsed.GetValue(output));
            System.Console.WriteLine(parsed.GetValue(output) ?? run.ReportPath);
            return Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }
}
