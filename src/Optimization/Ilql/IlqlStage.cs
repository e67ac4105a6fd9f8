using Rlhf.Algorithms;
using Rlhf.Core;
using Rlhf.Models;
using static TorchSharp.torch;

namespace Rlhf.Optimization;

/// <summary>ILQL from a configuration: scored samples → training → model folder with heads, and an ONNX folder that decodes with them.</summary>
public static class IlqlStage
{
    internal const string Name = "ilql";
    private const uint OrderSalt = 0x11C;

    /// <returns>Parts of the held-out loss at the end.</returns>
    public static IlqlLoss Run(IlqlConfig config, CancellationToken cancellation) => Run(config, checkOnly: false, cancellation);

    /// <summary>Reads everything that the training would read, and tells it; trains and writes nothing.</summary>
    /// <exception cref="RlhfException">What <see cref="Run(IlqlConfig, CancellationToken)"/> would refuse.</exception>
    public static void Check(IlqlConfig config, CancellationToken cancellation) => Run(config, checkOnly: true, cancellation);

    private static IlqlLoss Run(IlqlConfig config, bool checkOnly, CancellationToken cancellation)
    {
        TorchThreads.Apply(config.Threads);
        ScoredGroups samples = ScoredGroups.Read(config.Data);
        Device where = device(config.Device);
        using LlamaModel model = LlamaModel.Load(config.Model, ModelHead.LanguageModel, where);
        using var heads = new IlqlHeads(model.Config, config.Seed, where);
        if (File.Exists(Path.Combine(config.Model, IlqlHeads.FileName))) heads.Load(config.Model);
        IlqlData data = IlqlData.Of(samples, config, model.Config);
        Console.WriteLine($"model: {model.Parameters.Count:N0} parameters and {heads.Parameters.Count:N0} in the heads; data: {data.Training.Count:N0} responses for training, {data.HeldOut.Count:N0} held out");
        if (checkOnly) return default;
        return Train(config, data, model, heads, cancellation);
    }

    private static IlqlLoss Train(IlqlConfig config, IlqlData data, LlamaModel model, IlqlHeads heads, CancellationToken cancellation)
    {
        using var trainer = new IlqlTrainer(model, heads, config);
        TrainingCheckpoint checkpoint = TrainingCheckpoint.Of(Name, config, [.. config.Data, config.Model]);
        checkpoint.Track("model", model.Parameters.Flat, trainer.Optimizer);
        checkpoint.Track("heads", heads.Parameters.Flat, trainer.HeadOptimizer);
        checkpoint.Track("slow_heads", heads.Slow.Flat);
        using var loop = new TrainingLoop(Name, config, data.Training.Count, checkpoint);
        var order = new EpochOrder(data.Training.Count, config.Seed, OrderSalt);
        IlqlLoss last = default, heldOut = default;
        double value = 0;
        loop.Run(
            (step, progress) =>
            {
                IlqlExample[] batch = [.. order.Batch(step, config.BatchSize).Select(i => data.Training[i])];
                (last, double norm) = trainer.Step(batch, progress);
                value = trainer.MeanValue;
                return new TrainingStep(last.Total, norm, batch.Sum(e => (long)e.Sequence.ResponseLength));
            },
            () =>
            {
                heldOut = trainer.Evaluate(data.HeldOut);
                model.Save(config.Output, SafetensorsType.F32, config.Model);
                heads.Save(config.Output);
                (string, double)[] evaluated = data.HeldOut.Count == 0 ? [] : [("eval/loss", heldOut.Total)];
                return [.. evaluated, ("q/bellman", last.Bellman), ("q/expectile", last.Expectile), ("q/conservative", last.Conservative), ("q/cloning", last.Cloning), ("q/value", value)];
            },
            cancellation);
        if (config.Export) IlqlExport.Write(model, heads, config.DecodingBeta, config.Model, Path.Combine(config.Output, "onnx"));
        loop.Complete();
        return heldOut;
    }
}
