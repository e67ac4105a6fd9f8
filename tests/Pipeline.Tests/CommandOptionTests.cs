using System.CommandLine;
using System.Text.Json;
using Rlhf.Core;
using Rlhf.Generation;
using Rlhf.Optimization;
using Rlhf.Scoring;

namespace Rlhf.Pipeline.Tests;

/// <summary>Every option that a command offers is honoured: a dry run reads the inputs and writes nothing, --set and --config are read.</summary>
public sealed class CommandOptionTests
{
    private const string Missing = "nowhere";

    private static readonly Func<RootCommand>[] Programs = [PipelineCommand.Create, GenerateCommand.Create, ScoreCommand.Create, OptimizeCommand.Create];

    private static string s_folder = "";

    /// <summary>All executables' commands that do something, by their names on the command line.</summary>
    private static Dictionary<string, (Func<RootCommand> Root, Command Command)> Leaves { get; } = Programs.SelectMany(root => Under(root, root(), [])).ToDictionary(l => l.Name, l => (l.Root, l.Command));

    /// <summary>Arguments of a command that makes files; <c>{}</c> is an input, and what it is here is the second.</summary>
    private static Dictionary<string, (string Arguments, string Input)> Cases { get; } = MakeCases();

    private static IEnumerable<string> DryRuns => Leaves.Where(l => Offers(l.Value.Command, "--dry-run")).Select(l => l.Key);

    private static IEnumerable<string> Configured => Leaves.Where(l => Offers(l.Value.Command, "--set")).Select(l => l.Key);

    private static string Onnx => Path.Combine(TinyRun.Run, "iterations", "0000", "policy");

    [OneTimeSetUp]
    public void MakeInputs()
    {
        s_folder = TinyRun.NewFolder("options");
        void Lines(string name, IEnumerable<object> rows) => File.WriteAllLines(In(name), rows.Select(r => JsonSerializer.Serialize(r)));
        string[] texts = ["the river turned slowly", "warm bread and a quiet kitchen", "the wonderful garden", "a long mountain path", "the funny story", "rain began"];
        Lines("texts.jsonl", texts.Select((t, i) => (object)new { text = t, rating = i, label = i % 2 }));
        Lines("pairs.jsonl", texts.Select(t => (object)new { prompt = "the", chosen = t, rejected = t + " bridge" }));
        object question = new Dictionary<string, object>
        {
            ["question"] = "q", ["prediction 1"] = "a", ["prediction 2"] = "b", ["prediction 3"] = "c", ["prediction 4"] = "d", ["preference"] = new[] { 1, 1, 1, 2, 2, 2 },
            ["feedback"] = new { errors = new[] { new { start = 0, end = 1 } } },
        };
        File.WriteAllText(In("questions.json"), JsonSerializer.Serialize(new[] { question }));
        File.WriteAllText(In("reviews.yaml"), "objective: binary\ndata: [texts.jsonl]\n");
        foreach ((string name, string samples) in (ReadOnlySpan<(string, string)>)[("greedy", "1"), ("samples", "2")])
        {
            Succeeds("rlhf-generate", $"--policy {Onnx} --prompts {TinyRun.Prompts} --samples-per-prompt {samples} --max-new-tokens 4 --out {In(name + ".rollouts.parquet")}");
            Succeeds("rlhf-score", $"--in {In(name + ".rollouts.parquet")} --rule length:target=20,width=40,unit=characters --reference {Onnx} --out {In(name + ".parquet")}");
        }
    }

    [Test]
    public void EveryCommandHasALogLevelAndACaseHere() => Assert.Multiple(() =>
    {
        foreach ((string name, (_, Command command)) in Leaves) Assert.That(Offers(command, "--log-level"), name);
        Assert.That(Cases.Keys, Is.EquivalentTo(DryRuns.Union(Configured)));
    });

    [TestCaseSource(nameof(DryRuns))]
    public void ADryRunWritesNothing(string name)
    {
        (string arguments, string input) = Cases[name];
        string[] before = Everything();
        Succeeds(name, arguments.Replace("{}", Filled(input), StringComparison.Ordinal) + " --dry-run");
        Assert.That(Everything(), Is.EqualTo(before));
    }

    [TestCaseSource(nameof(DryRuns))]
    public void ADryRunReadsTheInputs(string name)
    {
        (string arguments, string input) = Cases[name];
        string[] before = Everything();
        (int code, string error) = Run(name, arguments.Replace("{}", In(Missing + Path.GetExtension(input)), StringComparison.Ordinal) + " --dry-run");
        Assert.That(code, Is.InRange((int)ExitCode.BadConfiguration, (int)ExitCode.BadModel), error);
        Assert.That(error, Does.Contain(Missing));
        Assert.That(Everything(), Is.EqualTo(before));
    }

    [TestCaseSource(nameof(Configured))]
    public void SetAndConfigAreRead(string name)
    {
        (string arguments, string input) = Cases[name];
        arguments = arguments.Replace("{}", Filled(input), StringComparison.Ordinal);
        (int code, string error) = Run(name, arguments + " --set no_such_key=1");
        Assert.That(code, Is.EqualTo((int)ExitCode.BadConfiguration), error);
        Assert.That(error, Does.Contain("no_such_key"));
        if (!Offers(Leaves[name].Command, "--config")) return;
        (code, error) = Run(name, $"{arguments} --config {In(Missing + ".yaml")}");
        Assert.That(code, Is.InRange((int)ExitCode.BadConfiguration, (int)ExitCode.BadData), error);
        Assert.That(error, Does.Contain(Missing));
    }

    private static Dictionary<string, (string Arguments, string Input)> MakeCases()
    {
        const string model = "TINY/model", run = "TINY/run", prompts = "TINY/prompts.jsonl";
        string trained = $"--set model={{}} --set output=OUT --set threads=1 --set held_out_fraction=0.25";
        var cases = new Dictionary<string, (string, string)>
        {
            ["rlhf-generate"] = ("--policy ONNX --prompts {} --out OUT.parquet", prompts),
            ["rlhf-score"] = ("--in {} --rule length:target=6,width=12,unit=tokens --reference ONNX --out OUT.parquet", "IN/samples.rollouts.parquet"),
            ["rlhf run"] = ("TINY/config.yaml --set output=OUT --set policy={}", model),
            ["rlhf demo"] = ("--set output=OUT --set generation.prompts={}", prompts),
            ["rlhf resume"] = ("{}", run),
            ["rlhf replay"] = ("{} --iteration 1", run),
            ["rlhf report"] = ("{}", run),
            ["rlhf export"] = ("--model {} --out OUT", model),
            ["rlhf eval winrate"] = ("--policy ONNX --baseline ONNX --rule length:target=6,width=12,unit=tokens --prompts {} --out OUT", prompts),
            ["rlhf eval lm"] = ("--model {}", model),
            ["rlhf eval reward"] = ("--model {}", model),
            ["rlhf bench sentiment"] = ("--out OUT --only ppo --set policy={}", model),
            ["rlhf bench hacking"] = ("--out OUT --set reward_training.config={}", "IN/reviews.yaml"),
            ["rlhf-optimize tokenizer"] = ("--data {} --vocabulary-size 300 --out OUT", "IN/texts.jsonl"),
            ["rlhf-optimize qa-feedback"] = ("--in {} --out OUT", "IN/questions.json"),
            ["rlhf-optimize rankings"] = ("--in {} --size 2 --out OUT", "IN/texts.jsonl"),
            ["rlhf-optimize pairs"] = ("--in {} --out OUT.parquet", "IN/samples.parquet"),
            ["rlhf-optimize sft"] = ($"{trained} --set data=[IN/texts.jsonl] --set sequence_length=8", model),
            ["rlhf-optimize reward-model"] = ($"{trained} --set data=[IN/texts.jsonl] --set objective=binary --set max_length=32", model),
            ["rlhf-optimize rft"] = ($"{trained} --set data=[IN/samples.parquet]", model),
            ["rlhf-optimize ilql"] = ($"{trained} --set data=[IN/samples.parquet]", model),
            ["rlhf-optimize export"] = ("--model {} --out OUT", model),
            ["rlhf-optimize convert"] = ("--model {} --out OUT", model),
        };
        foreach (PreferenceMethod method in Enum.GetValues<PreferenceMethod>())
            cases[$"rlhf-optimize {method.ToString().ToLowerInvariant()}"] = ($"{trained} --set data=[IN/pairs.jsonl] --set max_length=32", model);
        foreach (string method in (string[])["policy", .. Enum.GetValues<MethodName>().Select(MethodConfig.KeyOf)])
        {
            cases[$"rlhf-optimize {method}"] = ("--in {} --greedy IN/greedy.parquet --reference-responses IN/greedy.parquet --trajectories OUT.parquet --checkpoint-out OUT.checkpoint --policy-out OUT.policy "
                + $"--set policy={model} --set generation.prompts={prompts} --set generation.samples_per_prompt=2 --set threads=1", "IN/samples.parquet");
        }

        return cases;
    }

    private static string In(string name) => Path.Combine(s_folder, name);

    private static string Filled(string text) => text
        .Replace("TINY/", TinyRun.Folder + "/", StringComparison.Ordinal).Replace("ONNX", Onnx, StringComparison.Ordinal)
        .Replace("IN/", s_folder + "/", StringComparison.Ordinal).Replace("OUT", In("out"), StringComparison.Ordinal);

    private static void Succeeds(string name, string arguments)
    {
        (int code, string error) = Run(name, arguments);
        Assert.That(code, Is.Zero, error);
    }

    private static (int Code, string Error) Run(string name, string arguments)
    {
        using StringWriter output = new(), error = new();
        TextWriter console = System.Console.Out;
        try
        {
            System.Console.SetOut(output);
            int code = CommandHost.Run([.. name.Split(' ')[1..], .. Filled(arguments).Split(' ')], Leaves[name].Root(), output, error);
            return (code, error.ToString() + output);
        }
        finally
        {
            System.Console.SetOut(console);
        }
    }

    /// <summary>All files of the fixture and of the run, with sizes and times.</summary>
    private static string[] Everything() =>
        [.. new[] { s_folder, TinyRun.Run, TinyRun.Policy }.SelectMany(f => new DirectoryInfo(f).EnumerateFileSystemInfos("*", SearchOption.AllDirectories)).Select(f => $"{f.FullName} {(f as FileInfo)?.Length} {f.LastWriteTimeUtc:O}").Order(StringComparer.Ordinal)];

    private static bool Offers(Command command, string option) => command.Options.Any(o => o.Name == option);

    private static IEnumerable<(string Name, Func<RootCommand> Root, Command Command)> Under(Func<RootCommand> root, Command at, string[] names)
    {
        if (at.Subcommands.Count > 0) return at.Subcommands.SelectMany(c => Under(root, c, [.. names, c.Name]));
        return [(string.Join(' ', [ProgramOf(root), .. names]), root, at)];
    }

    private static string ProgramOf(Func<RootCommand> root) =>
        root == PipelineCommand.Create ? "rlhf" : root == GenerateCommand.Create ? "rlhf-generate" : root == ScoreCommand.Create ? "rlhf-score" : "rlhf-optimize";
}
