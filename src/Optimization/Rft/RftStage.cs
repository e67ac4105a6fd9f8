using Rlhf.Core;
using Rlhf.Models;

namespace Rlhf.Optimization;

/// <summary>
/// Rejection-sampling fine-tuning (Dong et al. 2023, "RAFT"; Yuan et al. 2023, "RFT"): keep the best of each prompt's samples, then maximum
/// likelihood on them. L = −(1/N) Σ log π(y_t | x, y₍&lt;t₎) over the kept responses' N tokens.
/// Deviation from trlX 1: one selection from a finished file with one quantile; drawing again and raising the quantile are further calls.
/// </summary>
public static class RftStage
{
    internal const string Name = "rft";

    /// <returns>Held-out loss in nats per token at the end; NaN when nothing is held out.</returns>
    public static double Run(RftConfig config, CancellationToken cancellation) => Run(config, checkOnly: false, cancellation);

    /// <summary>Reads everything that the training would read, and tells it; trains and writes nothing.</summary>
    /// <exception cref="RlhfException">What <see cref="Run(RftConfig, CancellationToken)"/> would refuse.</exception>
    public static void Check(RftConfig config, CancellationToken cancellation) => Run(config, checkOnly: true, cancellation);

    private static double Run(RftConfig config, bool checkOnly, CancellationToken cancellation)
    {
        TorchThreads.Apply(config.Threads);
        ScoredGroups samples = ScoredGroups.Read(config.Data);
        using LlamaModel model = LlamaModel.Load(config.Model, ModelHead.LanguageModel, TorchSharp.torch.device(config.Device));
        RftData data = RftData.Of(samples, config, model.Config);
        Console.WriteLine(
            $"model: {model.Parameters.Count:N0} parameters; data: {data.Training.Count:N0} of {samples.Rows.Count:N0} samples for training, {data.HeldOut.Count:N0} held out; mean score {data.AllScore:G4}, kept {data.KeptScore:G4}");
        if (checkOnly) return double.NaN;
        TrainingCheckpoint checkpoint = TrainingCheckpoint.Of(Name, config, [.. config.Data, config.Model]);
        return SftStage.Train(Sft(config), new SftData(data.Training, data.HeldOut, config.Seed), model, config.Model, Name, checkpoint, config.Export, cancellation);
    }

    /// <summary>The supervised part's configuration.</summary>
    public static SftConfig Sft(RftConfig config) => new()
    {
        Seed = config.Seed, BatchSize = config.BatchSize, MicroBatchSize = config.MicroBatchSize, Epochs = config.Epochs, MaxSteps = config.MaxSteps, EvaluateEvery = config.EvaluateEvery,
        Output = config.Output, Optimizer = config.Optimizer, Threads = config.Threads, Device = config.Device,
    };
}
