using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Rlhf.Algorithms;
using Rlhf.Core;
using Rlhf.Optimization;
using Rlhf.Scoring;
using Rlhf.Tokenization;

namespace Rlhf.Pipeline;

/// <summary><c>rlhf eval reward</c>: a reward model on labels (of texts or steps), scores, pairs or rankings, with intervals, calibration and length bias.</summary>
public static class EvalReward
{
    private const int BatchTokens = 1024;

    private static readonly JsonSerializerOptions Readable = new() { WriteIndented = true, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    public static Command Create()
    {
        var model = new Option<string>("--model") { Description = "Reward model: ONNX folder, or a Hugging Face folder, which is exported first.", HelpName = "DIR", Required = true };
        var data = new Option<string[]>("--data") { Description = "Files to judge on, whole, instead of what the configuration holds out.", HelpName = "FILE", DefaultValueFactory = _ => [], AllowMultipleArgumentsPerToken = true };
        var rows = new Option<int>("--rows") { Description = "Most examples; 0: all.", HelpName = "N", DefaultValueFactory = _ => 0 };
        var json = new Option<bool>("--json") { Description = "Print JSON instead of tables." };
        var command = new Command("reward", "Accuracy of a reward model with 95 % intervals, calibration, accuracy by margin, length bias. Objective, columns, replacements and hold-out come from --config (a reward-model configuration) or --set, as in --set objective=pairwise.") { model, data, rows, json };
        CommonOptions.AddTo(command, Offered.Set | Offered.Config);
        command.SetAction((parsed, cancellation) =>
        {
            CommonOptions common = CommonOptions.Of(parsed);
            RewardModelConfig config = common.Load<RewardModelConfig>();
            if (parsed.GetValue(rows) is < 0 and int negative) throw new ConfigurationException($"--rows is {negative}; it must be a number of examples, or 0 for all.");
            using OnnxCopy folder = OnnxCopy.Of(parsed.GetValue(model)!);
            bool bySteps = config.Objective == RewardObjective.Process;
            using RewardModel reward = new(folder.Path, threads: 1, Written(common) ? config.MaxLength : 0, bySteps ? RewardModelUse.TokenScores : RewardModelUse.Scores);
            using Tokenizer tokenizer = Tokenizer.Open(folder.Path);
            string[] files = parsed.GetValue(data)!;
            TextWriter console = System.Console.Out;
            List<RewardExample> examples;
            try
            {
                if (parsed.GetValue(json)) System.Console.SetOut(System.Console.Error); // what is told about the data is no JSON
                examples = files.Length > 0 ? RewardData.All(config, files, tokenizer, cancellation) : RewardData.Load(config, tokenizer, cancellation).HeldOut;
            }
            finally
            {
                System.Console.SetOut(console);
            }

            if (examples.Count == 0 && files.Length > 0) throw new BadDataException($"{string.Join(", ", files)}: there is no example to judge on; what was left out is told above.");
            if (examples.Count == 0) throw new BadDataException("Nothing is held out to judge on: raise held_out_fraction, name held_out_data, or give --data FILE.");
            if (parsed.GetValue(rows) is > 0 and int most && most < examples.Count)
                examples = [.. AddressedRandom.Permutation(examples.Count, config.Seed, 0xE7A2).Take(most).Order().Select(i => examples[i])];
            (double[][] scores, int[][] lengths) = bySteps ? StepScores(reward, examples, config.Threads, cancellation) : TextScores(reward, examples, reward.MaxLength, config.Threads, cancellation);
            RewardEvaluation result = RewardEvaluation.Of(config, examples, scores, lengths, reward.Temperature);
            if (parsed.GetValue(json)) System.Console.WriteLine(JsonSerializer.Serialize(result, Readable));
            else Print(result);
            return Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }

    private static bool Written(CommonOptions common) => ConfigBinder.Written(common.Config, common.Set, "max_length") is not null;

    /// <returns>[examples][texts] scores and tokens.</returns>
    private static (double[][] Scores, int[][] Lengths) TextScores(RewardModel reward, List<RewardExample> examples, int length, int threads, CancellationToken cancellation)
    {
        double[] flat = reward.ScoreAll([.. examples.SelectMany(e => e.Texts.Select(t => RewardModel.Cut(t, length)))], threads, BatchTokens, cancellation);
        int at = 0;
        return ([.. examples.Select(e => flat[at..(at += e.Texts.Length)])], [.. examples.Select(e => e.Texts.Select(t => t.Length).ToArray())]);
    }

    /// <returns>[examples][steps] scores at each step's last token, and the step's tokens.</returns>
    private static (double[][] Scores, int[][] Lengths) StepScores(RewardModel reward, List<RewardExample> examples, int threads, CancellationToken cancellation)
    {
        if (examples.Find(e => e.Texts[0].Length > reward.MaxLength) is { } tooLong)
            throw new BadDataException($"row {tooLong.Row + 1} has {tooLong.Texts[0].Length} tokens; the model reads {reward.MaxLength}, and steps are not cut. Lower max_length, so that such rows are left out.");
        (_, float[][] tokens) = reward.TokenScoresAll([.. examples.Select(e => e.Texts[0])], threads, BatchTokens, cancellation);
        return (
            [.. examples.Select((e, i) => e.StepEnds!.Select(end => (double)tokens[i][end]).ToArray())],
            [.. examples.Select(e => e.StepEnds!.Select((end, s) => s == 0 ? end + 1 : end - e.StepEnds![s - 1]).ToArray())]);
    }

    private static void Print(RewardEvaluation r)
    {
        var table = new ConsoleTable("measured", "value", "95 % interval", "of") { Title = string.Create(CultureInfo.InvariantCulture, $"{r.Objective}: {r.Examples:N0} examples") };
        Row(table, "accuracy", r.Accuracy, "P1");
        if (r.MoreFrequent is { } frequent) table.Add("… of always saying the more frequent label", Number(frequent, "P1"), "", "");
        Row(table, "area under the ROC curve", r.RocArea, "F3");
        Row(table, "best answer first", r.BestFirst, "P1");
        Row(table, "R²", r.RSquared, "F3");
        Row(table, "rank correlation", r.Spearman, "F3");
        foreach (AccuracyPart part in r.ByMargin) Row(table, "accuracy, " + part.Part, part.Accuracy, "P1");
        foreach (AccuracyPart part in r.Length.Parts) Row(table, "accuracy, " + part.Part, part.Accuracy, "P1");
        Row(table, "longer text is preferred in the data", r.Length.LongerIsPreferred, "P1");
        Row(table, "longer text has the higher reward", r.Length.LongerScoresHigher, "P1");
        table.Add("rank correlation of reward and length", Number(r.Length.ScoreLengthSpearman, "F3"), "", "");
        if (r.Length.LabelLengthSpearman is { } label) table.Add("rank correlation of label and length", Number(label, "F3"), "", "");
        if (r.Calibration is { } c)
        {
            table.Add("expected calibration error", Number(c.ExpectedError, "F4"), "", "");
            table.Add("temperature fitted on one half", Number(c.Temperature, "F3"), "", "");
            table.Add("… calibration error on the other half", Number(c.ExpectedErrorCalibrated, "F4"), "", "");
        }

        table.Print();
        if (r.Calibration is null) return;
        var bins = new ConsoleTable("probability", "examples", "mean probability", "share right") { Title = "Reliability" };
        foreach (ReliabilityBin b in r.Calibration.Table) bins.Add($"{Number(b.From, "F2")} to {Number(b.To, "F2")}", Number(b.Count, "N0"), Number(b.Confidence, "F3"), Number(b.Accuracy, "F3"));
        bins.Print();
    }

    private static void Row(ConsoleTable table, string name, Estimate? e, string format)
    {
        if (e is not null) table.Add(name, Number(e.Value, format), $"{Number(e.Low, format)} to {Number(e.High, format)}", Number(e.Count, "N0"));
    }

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
