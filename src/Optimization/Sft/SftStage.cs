using System.Diagnostics;
using System.Globalization;
using System.Text;
using Rlhf.Core;
using Rlhf.Models;
using Rlhf.Tokenization;
using TorchSharp;

namespace Rlhf.Optimization;

/// <summary>Supervised fine-tuning from a configuration: data → tokens → training with evaluations and checkpoints → model folder.</summary>
public static class SftStage
{
    /// <returns>Held-out loss in nats per token at the end.</returns>
    public static double Run(SftConfig config, CancellationToken cancellation)
    {
        TorchThreads.Apply(config.Threads);
        string tokenizerFolder = config.Tokenizer.Length > 0 ? config.Tokenizer : config.Model;
        if (tokenizerFolder.Length == 0) throw new ConfigurationException("tokenizer: name the folder that has tokenizer.json, or a model to start from.");
        using Tokenizer tokenizer = Tokenizer.Open(tokenizerFolder);
        SftData data = SftData.Load(config, tokenizer, cancellation);
        using LlamaModel model = StartModel.LanguageModel(config.Model, config.Architecture, tokenizer, config.Seed, config.Device);
        Console.WriteLine($"model: {model.Parameters.Count:N0} parameters; data: {data.TrainingTokens:N0} tokens for training, {data.HeldOutTokens:N0} held out");
        using var trainer = new SftTrainer(model, config);
        var log = new TrainingLog(config.Output, "sft");

        long steps = (long)Math.Ceiling(config.Epochs * data.Sequences / config.BatchSize);
        if (config.MaxSteps > 0) steps = Math.Min(steps, config.MaxSteps);
        double heldOut = double.NaN, smooth = double.NaN;
        long tokens = 0;
        Stopwatch clock = Stopwatch.StartNew();
        double trainingSeconds = 0;
        for (long step = 0; step < steps; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            double minutes = clock.Elapsed.TotalMinutes;
            bool outOfTime = config.MaxMinutes > 0 && minutes >= config.MaxMinutes;
            double progress = Math.Max(step / (double)steps, config.MaxMinutes > 0 ? minutes / config.MaxMinutes : 0);
            long started = Stopwatch.GetTimestamp();
            TrainingSequence[] batch = data.Batch(step, config.BatchSize);
            (double loss, double norm) = trainer.Step(batch, progress);
            trainingSeconds += Stopwatch.GetElapsedTime(started).TotalSeconds;
            tokens += batch.Sum(b => (long)b.ResponseLength);
            smooth = double.IsNaN(smooth) ? loss : (0.98 * smooth) + (0.02 * loss);
            bool last = step == steps - 1 || outOfTime;
            if ((step + 1) % config.EvaluateEvery == 0 || last)
            {
                (double nats, long evaluated) = trainer.Evaluate(data.HeldOut(config.HeldOutTokens));
                heldOut = nats / Math.Max(1, evaluated);
                model.Save(config.Output, SafetensorsType.F32, tokenizerFolder);
                double left = config.MaxMinutes > 0 ? config.MaxMinutes - minutes : clock.Elapsed.TotalMinutes / (step + 1) * (steps - step - 1);
                log.Row(
                    ("step", step + 1), ("loss", smooth), ("held_out_loss", heldOut), ("learning_rate", LearningRate.At(config.Optimizer, step, progress)),
                    ("grad_norm", norm), ("tokens", tokens), ("time/tokens_per_s", tokens / trainingSeconds), ("time/minutes_left", left));
            }

            if (outOfTime) break;
        }

        return heldOut;
    }
}

/// <summary>Sets libtorch's threads once, on purpose: spinning pools on shared cores cost an order of magnitude.</summary>
public static class TorchThreads
{
    public static void Apply(int threads) => torch.set_num_threads(threads > 0 ? threads : Environment.ProcessorCount);
}

/// <summary>One line of JSON and one line of text an evaluation.</summary>
public sealed class TrainingLog
{
    private readonly string _path;

    public TrainingLog(string folder, string name)
    {
        Directory.CreateDirectory(folder);
        _path = Path.Combine(folder, $"{name}.metrics.jsonl");
        File.WriteAllText(_path, "");
    }

    public void Row(params (string Name, double Value)[] values)
    {
        var json = new StringBuilder("{");
        var text = new StringBuilder();
        foreach ((string name, double value) in values)
        {
            if (json.Length > 1) json.Append(", ");
            json.Append('"').Append(name).Append("\": ").Append(double.IsFinite(value) ? value.ToString("R", CultureInfo.InvariantCulture) : "null");
            text.Append(name).Append(' ').Append(value.ToString("G5", CultureInfo.InvariantCulture)).Append("   ");
        }

        File.AppendAllText(_path, json.Append("}\n").ToString());
        Console.WriteLine(text.ToString().TrimEnd());
    }
}
