using System.Diagnostics;
using System.Globalization;
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
        if (config.SequenceLength > model.Config.MaxPositionEmbeddings)
        {
            throw new ConfigurationException($"sequence_length is {config.SequenceLength}; the model has {model.Config.MaxPositionEmbeddings} positions. Use at most that.");
        }

        Console.WriteLine($"model: {model.Parameters.Count:N0} parameters; data: {data.TrainingTokens:N0} tokens for training, {data.HeldOutTokens:N0} held out");
        using var trainer = new SftTrainer(model, config);
        long steps = (long)Math.Ceiling(config.Epochs * data.Sequences / config.BatchSize);
        if (config.MaxSteps > 0) steps = Math.Min(steps, config.MaxSteps);
        if (steps == 0) throw new ConfigurationException($"epochs is {config.Epochs}: that is no step at all. Give a positive number.");
        using var log = new TrainingLog(config.Output, "sft", steps);
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
            log.Advance(smooth);
            bool last = step == steps - 1 || outOfTime;
            if ((step + 1) % config.EvaluateEvery == 0 || last)
            {
                (double nats, long evaluated) = trainer.Evaluate(data.HeldOut(config.HeldOutTokens));
                heldOut = nats / Math.Max(1, evaluated);
                model.Save(config.Output, SafetensorsType.F32, tokenizerFolder);
                double left = config.MaxMinutes > 0 ? config.MaxMinutes - minutes : clock.Elapsed.TotalMinutes / (step + 1) * (steps - step - 1);
                log.Row(
                    string.Create(CultureInfo.InvariantCulture, $"step {step + 1}"), last ? "" : string.Create(CultureInfo.InvariantCulture, $"{left:F1} minutes left"),
                    ("loss", smooth), ("eval/loss", heldOut), ("learning_rate", LearningRate.At(config.Optimizer, step, progress)), ("grad_norm", norm),
                    ("epoch", (step + 1) * config.BatchSize / (double)data.Sequences), ("tokens/trained", tokens), ("time/optimization_tokens_per_second", tokens / trainingSeconds));
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
