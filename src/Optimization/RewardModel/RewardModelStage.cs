using System.Diagnostics;
using System.Globalization;
using Rlhf.Core;
using Rlhf.Models;
using Rlhf.Tokenization;

namespace Rlhf.Optimization;

/// <summary>Reward-model training from a configuration: data → examples → training with evaluations, early stopping on the best → model folder.</summary>
public static class RewardModelStage
{
    /// <returns>Held-out accuracy (labels, comparisons) or R² (scores) of the saved model.</returns>
    public static double Run(RewardModelConfig config, CancellationToken cancellation)
    {
        TorchThreads.Apply(config.Threads);
        string tokenizerFolder = config.Tokenizer.Length > 0 ? config.Tokenizer : config.Model;
        if (tokenizerFolder.Length == 0) throw new ConfigurationException("tokenizer: name the folder that has tokenizer.json, or a model to start from.");
        using Tokenizer tokenizer = Tokenizer.Open(tokenizerFolder);
        (List<RewardExample> training, List<RewardExample> heldOut) = RewardData.Load(config, tokenizer, cancellation);
        using LlamaModel model = StartModel.Scalar(config, tokenizer);
        if (config.MaxLength > model.Config.MaxPositionEmbeddings)
        {
            throw new ConfigurationException($"max_length is {config.MaxLength}; the model has {model.Config.MaxPositionEmbeddings} positions. Use at most that.");
        }

        Console.WriteLine($"model: {model.Parameters.Count:N0} parameters; data: {training.Count:N0} examples for training, {heldOut.Count:N0} held out");
        using var trainer = new RewardModelTrainer(model, config);
        long steps = (long)Math.Ceiling(config.Epochs * training.Count / config.BatchSize);
        if (config.MaxSteps > 0) steps = Math.Min(steps, config.MaxSteps);
        if (steps == 0) throw new ConfigurationException($"epochs is {config.Epochs}: that is no step at all. Give a positive number.");
        using var log = new TrainingLog(config.Output, "reward-model", steps);
        List<RewardExample> sample = Sample(heldOut, config.EvaluateRows, config.Seed);
        double best = double.NegativeInfinity, smooth = double.NaN;
        Stopwatch clock = Stopwatch.StartNew();
        int[] order = [];
        long epochOfOrder = -1;
        for (long step = 0; step < steps; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            var batch = new List<RewardExample>(config.BatchSize);
            long epoch = 0;
            for (int i = 0; i < config.BatchSize; i++)
            {
                long n = (step * config.BatchSize) + i;
                epoch = n / training.Count;
                if (epoch != epochOfOrder) (epochOfOrder, order) = (epoch, AddressedRandom.Permutation(training.Count, config.Seed, (uint)epoch, 0x2E3));
                batch.Add(training[order[(int)(n % training.Count)]]);
            }

            (double loss, double norm) = trainer.Step(batch, (uint)epoch, step / (double)steps);
            smooth = double.IsNaN(smooth) ? loss : (0.98 * smooth) + (0.02 * loss);
            log.Advance(smooth);
            bool last = step == steps - 1;
            if ((step + 1) % config.EvaluateEvery != 0 && !last) continue;
            RewardQuality quality = RewardQuality.Of(config, sample, trainer.Evaluate(sample));
            // NaN (nothing is held out) is never better or worse: the newest weights are then kept.
            if (!(quality.Headline < best))
            {
                best = quality.Headline;
                model.Save(config.Output, SafetensorsType.F32, tokenizerFolder);
            }

            double rate = (step + 1) * config.BatchSize / clock.Elapsed.TotalSeconds, left = clock.Elapsed.TotalMinutes / (step + 1) * (steps - step - 1);
            log.Row(
                string.Create(CultureInfo.InvariantCulture, $"step {step + 1}"), string.Create(CultureInfo.InvariantCulture, $"{rate:F1} examples/s, {left:F1} minutes left"),
                ("loss", smooth), ("eval/loss", quality.Loss), (quality.HeadlineName, quality.Headline), ("eval/calibration_error", quality.CalibrationError),
                ("grad_norm", norm), ("epoch", (step + 1) * config.BatchSize / (double)training.Count));
        }

        using LlamaModel saved = LlamaModel.Load(config.Output, ModelHead.Scalar, TorchSharp.torch.device(config.Device));
        using var final = new RewardModelTrainer(saved, config);
        RewardQuality result = RewardQuality.Of(config, heldOut, final.Evaluate(heldOut));
        log.Row(
            "saved model", string.Create(CultureInfo.InvariantCulture, $"{heldOut.Count:N0} examples held out"),
            ("eval/loss", result.Loss), (result.HeadlineName, result.Headline), ("eval/calibration_error", result.CalibrationError));
        return result.Headline;
    }

    private static List<RewardExample> Sample(List<RewardExample> examples, int count, ulong seed) =>
        count >= examples.Count ? examples : [.. AddressedRandom.Permutation(examples.Count, seed, 0xE7A1).Take(count).Order().Select(i => examples[i])];
}
