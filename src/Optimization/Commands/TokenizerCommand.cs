using System.CommandLine;
using Rlhf.Core;
using Rlhf.Tokenization.Bpe;

namespace Rlhf.Optimization;

/// <summary><c>rlhf-optimize tokenizer</c>: learns a byte-level BPE vocabulary from text.</summary>
public static class TokenizerCommand
{
    public static Command Create()
    {
        var data = new Option<string[]>("--data") { Description = "Text files: Parquet, JSONL, CSV; repeatable.", HelpName = "FILE", Required = true, AllowMultipleArgumentsPerToken = true };
        var column = new Option<string>("--text-column") { Description = "Column of the texts.", HelpName = "C", DefaultValueFactory = _ => "text" };
        var size = new Option<int>("--vocabulary-size") { Description = "Special tokens, 256 bytes and merges together.", HelpName = "N", DefaultValueFactory = _ => 4096 };
        var output = new Option<string>("--out") { Description = "Folder for tokenizer.json and its companions.", HelpName = "DIR", Required = true };
        var length = new Option<int>("--max-length") { Description = "model_max_length written into the tokenizer's configuration.", HelpName = "N", DefaultValueFactory = _ => 512 };
        var held = new Option<double>("--held-out-fraction") { Description = "Share of the rows that the tokenizer must not see; as in the SFT configuration.", HelpName = "SHARE", DefaultValueFactory = _ => 0 };
        var seed = new Option<ulong>("--seed") { Description = "Seed of the hold-out.", HelpName = "S", DefaultValueFactory = _ => 1 };
        var replace = new Option<string[]>("--replace") { Description = "Text replaced before counting, repeatable; \\n is a line break.", HelpName = "FROM=TO", DefaultValueFactory = _ => [] };
        var command = new Command("tokenizer", "Learns a byte-level BPE tokenizer from text.") { data, column, size, output, length, held, seed, replace };
        CommonOptions.AddTo(command, Offered.DryRun);
        command.SetAction((parsed, cancellation) =>
        {
            int vocabulary = parsed.GetValue(size);
            if (vocabulary < 259) throw new ConfigurationException($"--vocabulary-size is {vocabulary}; it must be at least 259: three special tokens and 256 bytes.");
            Dictionary<string, string> replacements = parsed.GetValue(replace)!.Select(Pair).ToDictionary(p => p.From, p => p.To);
            var words = new WordCounter();
            foreach (TextRows.Row row in TextRows.Read(parsed.GetValue(data)!, [parsed.GetValue(column)!], replacements))
            {
                cancellation.ThrowIfCancellationRequested();
                if (row.Texts[0] is { } text && !HoldOut.Contains(row.Number, parsed.GetValue(held), parsed.GetValue(seed))) words.Add(text);
            }

            if (CommonOptions.Of(parsed).DryRun)
            {
                Console.WriteLine($"would learn {vocabulary:N0} pieces from {words.Characters:N0} characters → {parsed.GetValue(output)}");
                return Task.FromResult((int)ExitCode.Done);
            }

            BpeModel model = BpeTrainer.Train(words.Counts, new BpeTrainerOptions(vocabulary));
            BpeFolder.Write(model, parsed.GetValue(output)!, parsed.GetValue(length));
            Console.WriteLine($"{model.VocabularySize:N0} pieces from {words.Characters:N0} characters → {parsed.GetValue(output)}");
            return Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }

    private static (string From, string To) Pair(string text)
    {
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        if (equals <= 0) throw new ConfigurationException($"--replace '{text}' is not of the form FROM=TO.");
        return (text[..equals], text[(equals + 1)..].Replace("\\n", "\n", StringComparison.Ordinal));
    }
}
