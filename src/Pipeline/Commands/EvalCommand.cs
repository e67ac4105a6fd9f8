using System.CommandLine;

namespace Rlhf.Pipeline;

/// <summary><c>rlhf eval</c>: numbers on held-out data.</summary>
public static class EvalCommand
{
    public static Command Create() => new("eval", "Measures models on held-out data.")
    {
        EvalLanguageModel.Create(),
        EvalGreedy.Create(),
        EvalReward.Create(),
        EvalScores.Create(),
        EvalWinRate.Create(),
    };
}
