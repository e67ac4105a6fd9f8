using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Rlhf.Core;
using Rlhf.Generation.Sampling;
using Rlhf.Trajectories;

namespace Rlhf.Generation;

/// <summary><c>rlhf-generate</c>: responses of an exported policy to a file of prompts.</summary>
public static class GenerateCommand
{
    public static RootCommand Create()
    {
        SamplingOptions defaults = new();
        Option<string> policy = new("--policy") { Description = "Exported policy: model.onnx, genai_config.json, tokenizer.json.", HelpName = "DIR", Required = true };
        Option<string> prompts = new("--prompts") { Description = "Prompts: Parquet, JSONL, CSV or text (one a line).", HelpName = "FILE", Required = true };
        Option<string> output = new("--out") { Description = "Rollouts, one row a response; appears when whole.", HelpName = "FILE.parquet", Required = true };
        Option<string> column = new("--prompt-column") { Description = "Column of the prompts.", HelpName = "C", DefaultValueFactory = _ => "prompt" };
        Option<int> samples = new("--samples-per-prompt") { Description = "Responses a prompt.", HelpName = "N", DefaultValueFactory = _ => defaults.SamplesPerPrompt };
        Option<int> most = new("--max-new-tokens") { Description = "Most tokens of a response.", HelpName = "N", DefaultValueFactory = _ => defaults.MaxNewTokens };
        Option<int> fewest = new("--min-new-tokens") { Description = "Tokens before EOS and stop strings may end a response.", HelpName = "N", DefaultValueFactory = _ => defaults.MinNewTokens };
        Option<double> temperature = new("--temperature") { Description = "Logits are divided by it.", HelpName = "T", DefaultValueFactory = _ => defaults.Temperature };
        Option<int> topK = new("--top-k") { Description = "Keep the k most likely tokens, ties included; 0: all.", HelpName = "K", DefaultValueFactory = _ => defaults.TopK };
        Option<double> topP = new("--top-p") { Description = "Keep the most likely tokens within this mass; 1: all.", HelpName = "P", DefaultValueFactory = _ => defaults.TopP };
        Option<double> minP = new("--min-p") { Description = "Keep tokens at least this likely relative to the likeliest; 0: all.", HelpName = "P", DefaultValueFactory = _ => defaults.MinP };
        Option<double> penalty = new("--repetition-penalty") { Description = "Above 1: tokens seen before become less likely.", HelpName = "R", DefaultValueFactory = _ => defaults.RepetitionPenalty };
        Option<bool> greedy = new("--greedy") { Description = "Always the most likely token." };
        Option<string[]> stop = new("--stop") { Description = "Text that ends a response; repeatable.", HelpName = "TEXT", DefaultValueFactory = _ => [] };
        Option<int[]> forbidden = new("--forbid-token") { Description = "Token id that is never drawn; repeatable.", HelpName = "ID", DefaultValueFactory = _ => [] };
        Option<ulong> seed = new("--seed") { Description = "Run seed of the random addresses.", HelpName = "S", DefaultValueFactory = _ => defaults.Seed };
        Option<int> iteration = new("--iteration") { Description = "Iteration number: part of the random address and a column of the file.", HelpName = "I", DefaultValueFactory = _ => defaults.Iteration };
        Option<int> batch = new("--batch-size") { Description = "Rows decoded at once.", HelpName = "B", DefaultValueFactory = _ => defaults.BatchSize };
        Option<int> part = new("--part-responses") { Description = "Responses of one part: a stopped run goes on after the last finished part.", HelpName = "N", DefaultValueFactory = _ => defaults.PartResponses };
        Option<string> engine = new("--engine") { Description = "ort: continuous batching of our own; genai: ONNX Runtime GenAI.", HelpName = "ort|genai", DefaultValueFactory = _ => "ort" };
        engine.AcceptOnlyFromAmong("ort", "genai");
        Option<int> beams = new("--beams") { Description = "Beam search with so many beams (2 to 16) instead of drawing; --samples-per-prompt of its hypotheses are written, best first.", HelpName = "N", DefaultValueFactory = _ => 0 };
        Option<double> lengthPenalty = new("--length-penalty") { Description = "Beam search: scores are divided by length to this power.", HelpName = "P", DefaultValueFactory = _ => 1 };
        Option<bool> allBeams = new("--no-early-stopping") { Description = "Beam search: go on while a better hypothesis can still come." };
        Option<string> device = new("--device") { Description = "cuda: weights and cache on the device, tokens drawn there.", HelpName = "cpu|cuda", DefaultValueFactory = _ => "cpu" };
        device.AcceptOnlyFromAmong("cpu", "cuda");
        Option<int> threads = new("--threads") { Description = "Threads of the engine; 0: all cores.", HelpName = "N", DefaultValueFactory = _ => 0 };
        Option<string> shard = new("--shard") { Description = "Answer only every n-th prompt, from the i-th on, i from 0; for array jobs.", HelpName = "i/n" };

        RootCommand command = new("Draws responses of an exported policy to a file of prompts.")
        {
            policy, prompts, output, column, samples, most, fewest, temperature, topK, topP, minP, penalty, greedy, stop, forbidden, seed, iteration, batch, part, engine, beams, lengthPenalty, allBeams, device, threads, shard,
        };
        CommonOptions.AddTo(command);
        command.SetAction((parsed, cancellation) =>
        {
            CommonOptions common = CommonOptions.Of(parsed);
            string policyFolder = parsed.GetRequiredValue(policy), promptFile = parsed.GetRequiredValue(prompts);
            RunConfig? run = Configuration(common, policyFolder, promptFile);
            GenerationConfig? from = run?.Generation;

            // An option that was given wins over --set, which wins over the file; without either, the option's default.
            T Choose<T>(Option<T> option, Func<GenerationConfig, T>? configured = null) =>
                from is not null && configured is not null && !Given(parsed, option) ? configured(from) : parsed.GetValue(option)!;

            GenerationJob job = new()
            {
                Policy = policyFolder,
                Prompts = promptFile,
                PromptColumn = Choose(column, c => c.PromptColumn),
                Output = parsed.GetRequiredValue(output),
                Engine = Choose(engine, c => c.Engine),
                Device = parsed.GetValue(device)!,
                Threads = Given(parsed, threads) || run is null ? parsed.GetValue(threads) : run.Threads,
                Shard = parsed.GetValue(shard) is { } named ? Shard.Parse(named) : null,
                Sampling = new SamplingOptions
                {
                    SamplesPerPrompt = Choose(samples, c => c.SamplesPerPrompt),
                    MaxNewTokens = Choose(most, c => c.MaxNewTokens),
                    MinNewTokens = Choose(fewest, c => c.MinNewTokens),
                    Temperature = Choose(temperature, c => c.Temperature),
                    TopK = Choose(topK, c => c.TopK),
                    TopP = Choose(topP, c => c.TopP),
                    MinP = Choose(minP, c => c.MinP),
                    RepetitionPenalty = Choose(penalty, c => c.RepetitionPenalty),
                    Greedy = Choose(greedy, c => c.Greedy),
                    StopStrings = Choose(stop, c => [.. c.StopStrings]),
                    ForbiddenTokens = Choose(forbidden, c => [.. c.ForbiddenTokens]),
                    Seed = Given(parsed, seed) || run is null ? parsed.GetValue(seed) : run.Seed,
                    Iteration = parsed.GetValue(iteration),
                    BatchSize = Choose(batch, c => c.BatchSize),
                    PartResponses = Choose(part, c => c.PartResponses),
                },
            };
            int beamCount = parsed.GetValue(beams);
            (Option[] ignored, string what) = beamCount == 0
                ? ((Option[])[lengthPenalty, allBeams], "is for beam search: give --beams N too, or leave it out")
                : ([fewest, temperature, topK, topP, minP, penalty, greedy, stop, forbidden, seed, batch], "is for drawing, and --beams searches instead: leave one of the two out");
            string[] problems = [.. ignored.Where(o => Given(parsed, o)).Select(o => $"{o.Name} {what}.")];
            if (problems.Length > 0) throw new ConfigurationException(problems);
            if (beamCount != 0)
            {
                job = job with
                {
                    Beams = new()
                    {
                        Beams = beamCount, Returned = job.Sampling.SamplesPerPrompt, MaxNewTokens = job.Sampling.MaxNewTokens,
                        LengthPenalty = parsed.GetValue(lengthPenalty), EarlyStopping = !parsed.GetValue(allBeams),
                    },
                };
            }

            Run(job, common.DryRun, cancellation);
            return Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }

    private static void Run(GenerationJob job, bool dryRun, CancellationToken cancellation)
    {
        PolicyFolder folder = PolicyFolder.Open(job.Policy);
        SamplingChecks.Check(job.Sampling, folder.VocabularySize);
        job.Beams?.Check(folder);
        job.Check();

        // The whole file is read once before any work, so that a bad last row is not found hours later.
        long rows = PromptFile.Read(job.Prompts, job.PromptColumn).LongCount();
        long prompts = job.Shard?.CountTaken(rows) ?? rows;
        if (prompts == 0) throw new BadDataException($"{job.Prompts} has {rows} prompts; shard {job.Shard} gets none of them. Use at most {rows} shards.");
        using GenerationStage stage = GenerationStage.Open(job.Policy, job.Engine, job.Threads, job.Device);
        if (dryRun)
        {
            System.Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"would draw {prompts * job.Sampling.SamplesPerPrompt} responses to {prompts} prompts of {job.Prompts} with engine {job.Engine}, and write {job.Output}"));
            return;
        }

        GenerationSummary summary;
        using (ProgressReport progress = new("generating", prompts * job.Sampling.SamplesPerPrompt, "responses"))
            summary = stage.Run(job, _ => progress.Advance(), cancellation);

        ConsoleTable table = new("responses", "tokens", "tokens/s", "mean length", "eos", "cut") { Title = $"{job.Output}, policy {summary.PolicyHash[..12]}" };
        CultureInfo c = CultureInfo.InvariantCulture;
        table.Add(summary.Responses.ToString("N0", c), summary.Tokens.ToString("N0", c), summary.TokensPerSecond.ToString("N0", c), summary.MeanLength.ToString("0.0", c), summary.EosShare.ToString("P0", c), summary.LengthShare.ToString("P0", c));
        table.Print();
    }

    private static bool Given(ParseResult parsed, Option option) => parsed.GetResult(option) is { Implicit: false };

    /// <summary>The run configuration behind --config and --set, where either was given; the fields it requires are those of the command line.</summary>
    private static RunConfig? Configuration(CommonOptions common, string policy, string prompts)
    {
        if (common.Config is null && common.Set.Count == 0) return null;
        return (common with { Set = [$"policy={Quoted(policy)}", $"generation.prompts={Quoted(prompts)}", .. common.Set] }).Load<RunConfig>();
    }

    private static string Quoted(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";
}
