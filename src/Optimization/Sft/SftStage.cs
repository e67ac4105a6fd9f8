using Rlhf.Core;
using Rlhf.Models;
using Rlhf.Tokenization;

namespace Rlhf.Optimization;

/// <summary>Supervised fine-tuning from a configuration: data → tokens → training with evaluations and checkpoints → model folder.</summary>
public static class SftStage
{
    internal const string Name = "sft";

    /// <returns>Held-out loss in nats per token at the end; NaN when nothing is held out.</returns>
    public static double Run(SftConfig config, CancellationToken cancellation) => Run(config, checkOnly: false, cancellation);

    /// <summary>Reads everything that the training would read, and tells it; trains and writes nothing.</summary>
    /// <exception cref="RlhfException">What <see cref="Run(SftConfig, CancellationToken)"/> would refuse.</exception>
    public static void Check(SftConfig config, CancellationToken cancellation) => Run(config, checkOnly: true, cancellation);

    private static double Run(SftConfig config, bool checkOnly, CancellationToken cancellation)
    {
        TorchThreads.Apply(config.Threads);
        string tokenizerFolder = StartModel.TokenizerFolder(config.Tokenizer, config.Model);
        using Tokenizer tokenizer = Tokenizer.Open(tokenizerFolder);
        SftData data = SftData.Load(config, tokenizer, cancellation);
        using LlamaModel model = StartModel.LanguageModel(config.Model, config.Architecture, tokenizer, config.Seed, config.Device);
        if (config.SequenceLength > model.Config.MaxPositionEmbeddings)
        {
            throw new ConfigurationException($"sequence_length is {config.SequenceLength}; the model has {model.Config.MaxPositionEmbeddings} positions. Use at most that.");
        }

        Console.WriteLine($"model: {model.Parameters.Count:N0} parameters; data: {data.TrainingTokens:N0} tokens for training, {data.HeldOutTokens:N0} held out");
        if (checkOnly) return double.NaN;
        TrainingCheckpoint checkpoint = TrainingCheckpoint.Of(Name, config, [.. config.Data, config.Model, tokenizerFolder]);
        return Train(config, data, model, tokenizerFolder, Name, checkpoint, config.Export, cancellation);
    }

    /// <summary>Trains on sequences that are tokens already, saves the model and exports it where asked for.</summary>
    /// <returns>Held-out loss in nats per token at the end; NaN when nothing is held out.</returns>
    internal static double Train(SftConfig config, SftData data, LlamaModel model, string tokenizerFolder, string name, TrainingCheckpoint checkpoint, bool export, CancellationToken cancellation)
    {
        using var trainer = new SftTrainer(model, config);
        checkpoint.Track("model", model.Parameters.Flat, trainer.Optimizer);
        using var loop = new TrainingLoop(name, config, data.Sequences, checkpoint, config.MaxMinutes);
        double heldOut = double.NaN;
        loop.Run(
            (step, progress) =>
            {
                TrainingSequence[] batch = data.Batch(step, config.BatchSize);
                (double loss, double norm) = trainer.Step(batch, progress);
                return new TrainingStep(loss, norm, batch.Sum(b => (long)b.ResponseLength));
            },
            () =>
            {
                (double nats, long tokens) = trainer.Evaluate(data.HeldOut(config.HeldOutTokens));
                heldOut = tokens == 0 ? double.NaN : nats / tokens;
                model.Save(config.Output, SafetensorsType.F32, tokenizerFolder);
                return tokens == 0 ? [] : [("eval/loss", heldOut)];
            },
            cancellation);
        if (export) ModelExport.Model(model, tokenizerFolder, Path.Combine(config.Output, "onnx"));
        loop.Complete();
        return heldOut;
    }
}
