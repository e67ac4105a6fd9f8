using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Rlhf.Core;

namespace Rlhf.Pipeline.Bench;

/// <summary><c>rlhf bench scoring</c>.</summary>
public static class BenchScoringCommand
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    public static Command Create()
    {
        var defaults = new ScoringBenchOptions();
        Option<string> model = new("--model") { Description = "Reward model: Hugging Face or ONNX folder.", HelpName = "DIR", DefaultValueFactory = _ => defaults.Model };
        Option<string> reference = new("--reference") { Description = "Policy (Hugging Face folder) for reference log-probs; '' leaves them out.", HelpName = "DIR", DefaultValueFactory = _ => defaults.Reference };
        Option<string[]> data = new("--data") { Description = "Files with texts. Where none is there, texts of the same lengths as IMDb reviews are made up.", HelpName = "FILE", DefaultValueFactory = _ => [.. defaults.Data], AllowMultipleArgumentsPerToken = true };
        Option<string> column = new("--column") { Description = "Column of the texts.", HelpName = "C", DefaultValueFactory = _ => defaults.Column };
        Option<int> rows = new("--rows") { Description = "Texts to be scored.", HelpName = "N", DefaultValueFactory = _ => defaults.Rows };
        Option<int> slices = new("--parts") { Description = "Parts of the rows between which the ways of scoring take turns.", HelpName = "N", DefaultValueFactory = _ => defaults.Slices };
        Option<int> referenceRows = new("--reference-rows") { Description = "Texts for reference log-probs.", HelpName = "N", DefaultValueFactory = _ => defaults.ReferenceRows };
        Option<long> stream = new("--stream-rows") { Description = "Short rows streamed from file to file, also stopped ten times and resumed; 5000000 shows flat memory; 0: none.", HelpName = "N", DefaultValueFactory = _ => 0 };
        Option<bool> streamModel = new("--stream-with-model") { Description = "The short rows are scored by the reward model instead of by rules." };
        Option<int> prompts = new("--shared-prompts") { Description = "Prompts with several responses each, for what computing a prompt once gains; 0: none.", HelpName = "N", DefaultValueFactory = _ => defaults.SharedPrompts };
        Option<int> responses = new("--shared-responses") { Description = "Responses to each of them.", HelpName = "N", DefaultValueFactory = _ => defaults.SharedResponses };
        Option<int> promptTokens = new("--shared-prompt-tokens") { Description = "Tokens of such a prompt.", HelpName = "N", DefaultValueFactory = _ => defaults.SharedPromptTokens };
        Option<int> responseTokens = new("--shared-response-tokens") { Description = "Tokens of such a response.", HelpName = "N", DefaultValueFactory = _ => defaults.SharedResponseTokens };
        Option<int> maxLength = new("--max-length") { Description = "Longest text in tokens; longer ones are cut.", HelpName = "N", DefaultValueFactory = _ => defaults.MaxLength };
        Option<int> tokens = new("--batch-tokens") { Description = "Most tokens of one batch, padding included.", HelpName = "N", DefaultValueFactory = _ => defaults.BatchTokens };
        Option<int> threads = new("--threads") { Description = "Threads; 0: all cores.", HelpName = "N", DefaultValueFactory = _ => 0 };
        Option<bool> json = new("--json") { Description = "Print JSON instead of a table." };
        Command command = new("scoring", "Scoring measured: tokens/s from file to file beside texts of equal length and fixed batches of 32 in file order; peak memory; reference log-probs.")
        {
            model, reference, data, column, rows, slices, referenceRows, stream, streamModel, prompts, responses, promptTokens, responseTokens, maxLength, tokens, threads, json,
        };
        CommonOptions.AddTo(command, Offered.LogLevel);
        command.SetAction((parsed, cancellation) =>
        {
            ScoringBenchOptions options = new()
            {
                Model = parsed.GetValue(model)!, Reference = parsed.GetValue(reference)!, Data = parsed.GetValue(data)!, Column = parsed.GetValue(column)!,
                Rows = AtLeast("--rows", parsed.GetValue(rows), 64), Slices = AtLeast("--parts", parsed.GetValue(slices), 1), ReferenceRows = AtLeast("--reference-rows", parsed.GetValue(referenceRows), 1),
                SharedPrompts = AtLeast("--shared-prompts", parsed.GetValue(prompts), 0), SharedResponses = AtLeast("--shared-responses", parsed.GetValue(responses), 2),
                SharedPromptTokens = AtLeast("--shared-prompt-tokens", parsed.GetValue(promptTokens), 2), SharedResponseTokens = AtLeast("--shared-response-tokens", parsed.GetValue(responseTokens), 1),
                StreamRows = Math.Max(0, parsed.GetValue(stream)), StreamWithModel = parsed.GetValue(streamModel), MaxLength = AtLeast("--max-length", parsed.GetValue(maxLength), 1), BatchTokens = AtLeast("--batch-tokens", parsed.GetValue(tokens), 16), Threads = AtLeast("--threads", parsed.GetValue(threads), 0),
            };
            ScoringBenchResult result = BenchScoring.Run(options, Log.Info, cancellation);
            if (parsed.GetValue(json)) System.Console.WriteLine(JsonSerializer.Serialize(result, Indented));
            else Print(result);
            return Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }

    private static int AtLeast(string name, int value, int least) => value >= least ? value : throw new ConfigurationException($"{name} is {value}; it must be at least {least}.");

    private static void Print(ScoringBenchResult r)
    {
        CultureInfo c = CultureInfo.InvariantCulture;
        ConsoleTable table = new("measured", "value", "required")
        {
            Title = string.Create(c, $"{r.Processor}, {r.Threads} threads: {r.Rows:N0} {(r.RealTexts ? "texts" : "made-up texts")}, {r.Tokens:N0} tokens, {r.MeanLength:F0} a text"),
        };
        table.Add("rlhf-score, file to file", string.Create(c, $"{r.TokensPerSecond:N0} tokens/s, {r.RowsPerSecond:N1} rows/s"), "");
        table.Add("inference on texts of equal length, read likewise", string.Create(c, $"{r.EqualLengthTokensPerSecond:N0} tokens/s"), "");
        table.Add("… in full batches", string.Create(c, $"{r.FullBatchTokensPerSecond:N0} tokens/s"), "");
        table.Add("inference on fixed batches of 32 in file order", string.Create(c, $"{r.FixedBatchTokensPerSecond:N0} tokens/s"), "");
        table.Add("… of model.onnx as ONNX Runtime opens it", string.Create(c, $"{r.PlainFixedBatchTokensPerSecond:N0} tokens/s"), "");
        table.Add("share of the faster of these two", string.Create(c, $"{r.ShareOfEqualLength:P1}"), "≥ 85 %");
        table.Add("ratio to fixed batches", string.Create(c, $"{r.RatioToPlainFixedBatches:F2} to those of model.onnx, {r.RatioToFixedBatches:F2} to those of the same graph"), "≥ 2");
        table.Add("padding among the computed tokens", string.Create(c, $"{r.PaddingShare:P1}"), "a few percent");
        table.Add("peak memory", string.Create(c, $"{r.PeakMegabytes:N0} MB ({r.MegabytesBefore:N0} before; a part adds at most {r.GrowthMegabytes:N0})"), "");
        if (r.Reference is { } f)
        {
            table.Add("reference log-probs", string.Create(c, $"{f.TokensPerSecond:N0} tokens/s"), "");
            table.Add("… peak memory", string.Create(c, $"{f.PeakMegabytes:N0} MB ({f.MegabytesBefore:N0} before)"), "");
            table.Add("… [tokens, vocabulary] would add", string.Create(c, $"{f.NaiveBatchMegabytes:N0} MB for the batches at one time, {f.NaiveAllMegabytes:N0} MB for all rows"), "");
        }

        if (r.Shared is { } h)
        {
            table.Add("prompts with several responses", string.Create(c, $"{h.Prompts} of {h.PromptTokens} tokens, {h.Responses} responses of {h.ResponseTokens} each"), "");
            table.Add("… rewards, prompts computed once", string.Create(c, $"{h.RewardSpeedUp:F2} times as fast (at most {h.Bound:F2} by the count of tokens)"), "");
            if (h.ReferenceSpeedUp is { } reference) table.Add("… reference log-probs, likewise", string.Create(c, $"{reference:F2} times as fast"), "");
            table.Add("… largest difference to each alone", string.Create(c, $"{h.WorstDifference:0.0e+0}"), "≤ 1e-4");
        }

        if (r.Stream is { } s)
        {
            table.Add("short rows, file to file", string.Create(c, $"{s.Rows:N0} rows ({s.InputMegabytes:N0} MB), {s.RowsPerSecond:N0} rows/s"), "");
            table.Add("… peak memory", string.Create(c, $"{s.PeakMegabytes:N0} MB ({s.PeakMegabytesTenth:N0} with a tenth of the rows, {s.MegabytesBefore:N0} before)"), "flat");
            table.Add("… stopped at random moments and resumed", string.Create(c, $"{s.Stops} times, {s.Resumed} went on from finished windows: {(s.SameBytes ? "the same bytes" : "OTHER BYTES")}"), "the same bytes");
        }

        table.Print();
    }
}
