using System.CommandLine;
using Rlhf.Core;

namespace Rlhf.Pipeline;

/// <summary><c>rlhf demo</c>: PPO of the shipped policy for positive reviews, with the shipped reward model.</summary>
public static class DemoCommand
{
    public static Command Create()
    {
        var command = new Command("demo", "Tunes the shipped review writer for positive reviews with PPO, on the CPU, in minutes.");
        CommonOptions.AddTo(command, Offered.Set | Offered.DryRun);
        command.SetAction((parsed, cancellation) =>
        {
            CommonOptions common = CommonOptions.Of(parsed);
            string root = Repository.Root();
            RunConfig config = ConfigBinder.Load<RunConfig>(Path.Combine(root, "configs", "demo.yaml"), common.Set);
            if (!common.Set.Any(s => s.StartsWith("output=", StringComparison.Ordinal))) config = config with { Output = Repository.NextFree(config.Output) };
            if (common.DryRun)
            {
                RunCheck.Tell(config);
                return Task.FromResult((int)ExitCode.Done);
            }

            System.Console.WriteLine("PPO of models/policy-imdb for positive movie reviews; the reward is P(positive) of models/reward-imdb.");
            System.Console.WriteLine($"{config.Iterations} iterations of {config.Generation.PromptsPerIteration * config.Generation.SamplesPerPrompt} responses → {config.Output}\n");
            RunCommand.Begin(config, cancellation).Print();
            return Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }
}

/// <summary>Where the shipped configurations, prompts and models are.</summary>
public static class Repository
{
    /// <summary>The nearest parent of the program (or of the current folder) that has configs/demo.yaml.</summary>
    public static string Root()
    {
        foreach (string start in (string[])[AppContext.BaseDirectory, Environment.CurrentDirectory])
        {
            for (DirectoryInfo? at = new(start); at is not null; at = at.Parent)
            {
                if (File.Exists(Path.Combine(at.FullName, "configs", "demo.yaml"))) return at.FullName;
            }
        }

        throw new ConfigurationException("configs/demo.yaml was not found beside the program or above the current folder. Run './rlhf demo' in a clone of the repository.");
    }

    /// <summary>The path itself, or with -2, -3, … where it exists already: a second demo keeps the first.</summary>
    public static string NextFree(string path)
    {
        if (!Directory.Exists(path)) return path;
        int n = 2;
        while (Directory.Exists($"{path}-{n}")) n++;
        return $"{path}-{n}";
    }
}
