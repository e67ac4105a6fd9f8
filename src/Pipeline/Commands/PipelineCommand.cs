using System.CommandLine;
using Rlhf.Core;

namespace Rlhf.Pipeline;

/// <summary><c>rlhf</c>: the loop and what belongs to it.</summary>
public static class PipelineCommand
{
    public static RootCommand Create() => new("Reinforcement learning from human feedback on ONNX Runtime and libtorch. Stages have executables of their own: rlhf-generate, rlhf-score, rlhf-optimize.")
    {
        RunCommand.CreateRun(),
        RunCommand.CreateResume(),
        DemoCommand.Create(),
        EvalCommand.Create(),
        ChatCommand.Create(),
        Optimization.ExportCommand.Create(),
        ReportCommand.Create(),
        InspectCommand.Create(),
        ReplayCommand.Create(),
        DoctorCommand.Create(),
        new Command("bench", "Measurements that others can repeat.")
        {
            Bench.BenchRolloutsCommand.Create(),
            Bench.BenchScoringCommand.Create(),
            Bench.BenchAlgorithmsCommand.Create(),
            Bench.BenchSentimentCommand.Create(),
            Bench.BenchHackingCommand.Create(),
            Bench.RobustnessCommands.Kills(),
            Bench.RobustnessCommands.Disk(),
            Bench.RobustnessCommands.Soak(),
            Bench.BenchFuzzCommand.Create(),
        },
    };
}
