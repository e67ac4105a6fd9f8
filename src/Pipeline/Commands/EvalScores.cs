using System.CommandLine;
using System.Globalization;
using Rlhf.Core;
using Rlhf.Models;
using Rlhf.Optimization;
using Rlhf.Scoring;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Pipeline;

/// <summary><c>rlhf eval scores</c>: does an exported reward model score as torch does, and a batch as each text alone?</summary>
public static class EvalScores
{
    /// <summary>Largest difference that passes: float32 over some layers.</summary>
    public const double Tolerance = 1e-4;

    public static Command Create()
    {
        var model = new Option<string>("--model") { Description = "Reward model: Hugging Face folder, run in torch and exported.", HelpName = "DIR", Required = true };
        var data = new Option<string[]>("--data") { Description = "Files with texts.", HelpName = "FILE", Required = true, AllowMultipleArgumentsPerToken = true };
        var column = new Option<string>("--column") { Description = "Column of the texts.", HelpName = "C", DefaultValueFactory = _ => "text" };
        var rows = new Option<int>("--rows") { Description = "Texts compared, taken evenly from the file.", HelpName = "N", DefaultValueFactory = _ => 1000 };
        var threads = new Option<int>("--threads") { Description = "Threads; 0: all cores.", HelpName = "N", DefaultValueFactory = _ => 0 };
        var command = new Command("scores", "Compares an exported reward model's scores with torch's, and batched scores with those of each text alone; differences above 1e-4 are an error.") { model, data, column, rows, threads };
        CommonOptions.AddTo(command, Offered.LogLevel);
        command.SetAction((parsed, cancellation) =>
        {
            if (parsed.GetValue(rows) is < 1 and int few) throw new ConfigurationException($"--rows is {few}; it must be at least 1.");
            if (parsed.GetValue(threads) is < 0 and int negative) throw new ConfigurationException($"--threads is {negative}; it must be a number of threads, or 0 for all cores.");
            string folder = parsed.GetValue(model)!;
            using OnnxCopy onnx = OnnxCopy.Of(folder);
            using RewardModel reward = new(onnx.Path, threads: 1);
            string[] texts = [.. TextRows.Read(parsed.GetValue(data)!, [parsed.GetValue(column)!], new Dictionary<string, string>()).Select(r => r.Texts[0]).OfType<string>().Where(t => t.Length > 0)];
            int count = Math.Min(texts.Length, parsed.GetValue(rows));
            if (count < 1) throw new BadDataException($"{string.Join(", ", parsed.GetValue(data)!)}: there is no text to score.");
            int[][] tokens = [.. Enumerable.Range(0, count).Select(i => reward.Encode(texts[(long)i * texts.Length / count]))];
            double[] batched = reward.ScoreAll(tokens, parsed.GetValue(threads), 1024, cancellation), alone = new double[count];
            for (int i = 0; i < count; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                reward.Score(tokens, [i], alone);
            }

            TorchThreads.Apply(parsed.GetValue(threads));
            double[] byTorch = Torch(folder, tokens, cancellation);
            double engines = batched.Zip(byTorch, (a, b) => Math.Abs(a - b)).Max(), batches = batched.Zip(alone, (a, b) => Math.Abs(a - b)).Max();
            System.Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{count:N0} texts, {tokens.Sum(t => (long)t.Length):N0} tokens: ONNX − torch at most {engines:E2}; batched − alone at most {batches:E2}; scores from {batched.Min():F3} to {batched.Max():F3}"));
            if (!(Math.Max(engines, batches) <= Tolerance)) throw new NumericalException($"The largest difference is {Math.Max(engines, batches):E2}; at most {Tolerance:E0} is rounding. Export the model again.");
            return Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }

    private static double[] Torch(string folder, int[][] tokens, CancellationToken cancellation)
    {
        using LlamaModel model = LlamaModel.Load(folder, ModelHead.Scalar, trainable: false);
        using IDisposable noGrad = no_grad();
        double[] scores = new double[tokens.Length];
        foreach (int[] batch in ExampleCut.ByTokens([.. tokens.Select(t => new[] { t.Length })], 4096))
        {
            cancellation.ThrowIfCancellationRequested();
            using DisposeScope scope = NewDisposeScope();
            int time = batch.Max(i => tokens[i].Length);
            long[] ids = new long[batch.Length * time];
            for (int r = 0; r < batch.Length; r++)
            {
                for (int t = 0; t < tokens[batch[r]].Length; t++) ids[(r * time) + t] = tokens[batch[r]][t];
            }

            Tensor score = model.Score(model.Hidden(tensor(ids, batch.Length, time)), tensor(batch.Select(i => (long)tokens[i].Length).ToArray()));
            float[] values = score.contiguous().data<float>().ToArray();
            for (int r = 0; r < batch.Length; r++) scores[batch[r]] = values[r];
        }

        return scores;
    }
}
