using System.CommandLine;
using Rlhf.Core;

namespace Rlhf.Pipeline;

/// <summary><c>rlhf inspect RUN_DIR</c>: verifies sizes and hashes of every finished file.</summary>
public static class InspectCommand
{
    public static Command Create()
    {
        var folder = new Argument<string>("RUN_DIR") { Description = "The run directory." };
        var command = new Command("inspect", "Verifies a run directory: what is finished, what is missing, and whether every byte is as it was written.") { folder };
        CommonOptions.AddTo(command, Offered.LogLevel);
        command.SetAction((parsed, _) =>
        {
            using RunDirectory run = RunDirectory.OpenForReading(parsed.GetValue(folder)!);
            var table = new ConsoleTable("item", "state");
            IReadOnlyList<InspectedItem> items = RunInspection.Of(run);
            foreach (InspectedItem item in items)
                table.Add(item.Path, item.Problems.Count > 0 ? string.Join("; ", item.Problems) : item.IsFinished ? "whole" : "not finished");
            table.Print();
            int damaged = items.Count(i => i.Problems.Count > 0);
            if (damaged > 0) throw new BadDataException($"{run.Root}: {(damaged == 1 ? "1 item is" : $"{damaged} items are")} damaged or missing. {RunInspection.Remedy(run, items)}");
            return Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }
}
