using System.CommandLine;
using Rlhf.Core;
using Rlhf.Generation;

namespace Rlhf.Pipeline;

/// <summary><c>rlhf chat --policy DIR</c>: type openings, read continuations.</summary>
public static class ChatCommand
{
    public static Command Create()
    {
        var policy = new Option<string>("--policy") { Description = "ONNX policy folder.", HelpName = "DIR", Required = true };
        var tokens = new Option<int>("--max-new-tokens") { Description = "Most new tokens of an answer.", HelpName = "N", DefaultValueFactory = _ => 64 };
        var temperature = new Option<double>("--temperature") { Description = "Sampling temperature.", HelpName = "T", DefaultValueFactory = _ => 1 };
        var seed = new Option<ulong>("--seed") { Description = "Seed.", HelpName = "S", DefaultValueFactory = _ => 1 };
        var command = new Command("chat", "Answers lines of standard input with a policy; an empty line ends.") { policy, tokens, temperature, seed };
        CommonOptions.AddTo(command, Offered.LogLevel);
        command.SetAction((parsed, cancellation) =>
        {
            using GenerationStage stage = GenerationStage.Open(parsed.GetValue(policy)!);
            for (int turn = 0; ; turn++)
            {
                System.Console.Write("> ");
                if (System.Console.ReadLine() is not { Length: > 0 } line) return Task.FromResult((int)ExitCode.Done);
                var sampling = new SamplingOptions { MaxNewTokens = parsed.GetValue(tokens), Temperature = parsed.GetValue(temperature), Seed = parsed.GetValue(seed), Iteration = turn };
                foreach (Rollout rollout in stage.Engine.Generate([new Prompt { Id = "chat", Text = line }], sampling, cancellation)) System.Console.WriteLine(line + rollout.Response + "\n");
            }
        });
        return command;
    }
}
