using System.CommandLine;
using System.Globalization;
using System.Text;
using Rlhf.Core;
using Rlhf.Models;
using Rlhf.Optimization;
using Rlhf.Tokenization;
using TorchSharp;

namespace Rlhf.Pipeline;

/// <summary><c>rlhf eval lm</c>: bits per byte of a model on the text that its SFT configuration held out, beside an n-gram model's.</summary>
public static class EvalLanguageModel
{
    public static Command Create()
    {
        var model = new Option<string>("--model") { Description = "Hugging Face folder.", HelpName = "DIR", Required = true };
        var order = new Option<int>("--order") { Description = "Order of the Kneser–Ney baseline, trained on the same training text.", HelpName = "N", DefaultValueFactory = _ => 5 };
        var documents = new Option<int>("--documents") { Description = "Most held-out texts.", HelpName = "N", DefaultValueFactory = _ => 1000 };
        var command = new Command("lm", "Held-out bits per byte beside a modified Kneser–Ney n-gram model on the same text; data and hold-out come from --config, an SFT configuration.") { model, order, documents };
        CommonOptions.AddTo(command, Offered.Set | Offered.Config);
        command.SetAction((parsed, cancellation) =>
        {
            SftConfig config = CommonOptions.Of(parsed).Load<SftConfig>();
            string folder = parsed.GetValue(model)!;
            using Tokenizer tokenizer = Tokenizer.Open(folder);
            var training = new List<int>();
            var heldOut = new List<int[]>();
            long bytes = 0;
            foreach (TextRows.Row[] rows in TextRows.Read(config.Data, [config.TextColumn], config.Replace).Where(r => r.Texts[0] is { Length: > 0 }).Chunk(4096))
            {
                cancellation.ThrowIfCancellationRequested();
                int[][] encoded = tokenizer.Encode([.. rows.Select(r => r.Texts[0]!)]);
                for (int i = 0; i < rows.Length; i++)
                {
                    int[] document = [.. tokenizer.BosId is { } bos ? [bos] : Array.Empty<int>(), .. encoded[i], .. tokenizer.EosIds.Take(1)];
                    if (!HoldOut.Contains(rows[i].Number, config.HeldOutFraction, config.Seed)) training.AddRange(document);
                    else if (heldOut.Count < parsed.GetValue(documents))
                    {
                        heldOut.Add(document);
                        bytes += Encoding.UTF8.GetByteCount(rows[i].Texts[0]!);
                    }
                }
            }

            if (heldOut.Count == 0) throw new BadDataException($"{string.Join(", ", config.Data)}: held_out_fraction {config.HeldOutFraction} holds out no text.");
            TorchThreads.Apply(config.Threads);
            using LlamaModel llama = LlamaModel.Load(folder, ModelHead.LanguageModel, trainable: false);
            IEnumerable<TrainingSequence> windows = heldOut.SelectMany(d => Windows(d, config.SequenceLength)).OrderBy(s => s.Tokens.Length);
            (double nats, long tokens) = ModelParts.NegativeLogLikelihood(llama, ModelParts.Head(llama, trainable: false), windows, 16, llama.Device);
            var ngram = new KneserNey(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(training), parsed.GetValue(order), tokenizer.VocabularySize);
            double baseline = 0;
            foreach (int[] document in heldOut)
            {
                for (int t = 1; t < document.Length; t++) baseline -= ngram.LogProb(document.AsSpan(0, t), document[t]);
            }

            string Bits(double n) => (n / Math.Log(2) / bytes).ToString("0.0000", CultureInfo.InvariantCulture);
            string Perplexity(double n) => Math.Exp(n / tokens).ToString("0.00", CultureInfo.InvariantCulture);
            var table = new ConsoleTable("model", "bits per byte", "perplexity per token") { Title = $"{heldOut.Count:N0} held-out texts, {bytes:N0} bytes, {tokens:N0} tokens; n-gram trained on {training.Count:N0} tokens" };
            table.Add(folder, Bits(nats), Perplexity(nats));
            table.Add($"{parsed.GetValue(order)}-gram, modified Kneser–Ney", Bits(baseline), Perplexity(baseline));
            table.Print();
            return Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }

    private static IEnumerable<TrainingSequence> Windows(int[] document, int length)
    {
        for (int start = 0; start + 1 < document.Length; start += length)
        {
            yield return new TrainingSequence(document.AsMemory(start, Math.Min(length + 1, document.Length - start)), 1);
        }
    }
}
