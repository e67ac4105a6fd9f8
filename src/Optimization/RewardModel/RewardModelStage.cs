using System.Globalization;
using Rlhf.Core;
using Rlhf.Models;
using Rlhf.Tokenization;

namespace Rlhf.Optimization;

/// <summary>Reward-model training from a configuration: data → examples → training with evaluations, early stopping on the best → model folder.</summary>
public static class RewardModelStage
{
    internal const string Name = "reward-model";
    private const uint OrderSalt = 0x2E3;

    /// <returns>Held-out accuracy (labels, comparisons) or R² (scores) of the saved model.</returns>
    public static double Run(RewardModelConfig config, CancellationToken cancellation) => Run(config, checkOnly: false, cancellation);

    /// <summary>Reads everything that the training would read, and tells it; trains and writes nothing.</summary>
    /// <exception cref="RlhfException">What <see cref="Run(RewardModelConfig, CancellationToken)"/> would refuse.</exception>
    public static void Check(RewardModelConfig config, CancellationToken cancellation) => Run(config, checkOnly: true, cancellation);

    private static double Run(RewardModelConfig config, bool checkOnly, CancellationToken cancellation)
    {
        RewardFinish.Check(config);
        TorchThreads.Apply(config.Threads);
        string tokenizerFolder = StartModel.TokenizerFolder(config.Tokenizer, config.Model);
        using Tokenizer tokenizer = Tokenizer.Open(tokenizerFolder);
        (List<RewardExample> training, List<RewardExample> heldOut) = RewardData.Load(config, tokenizer, cancellation);
        RewardData.Check(config, training, heldOut);
        (double Mean, double Deviation) labels = RewardFinish.Standardise(config, training, heldOut);
        using LlamaModel model = StartModel.Scalar(config, tokenizer);
        if (config.MaxLength > model.Config.MaxPositionEmbeddings)
        {
            throw new ConfigurationException($"max_length is {config.MaxLength}; the model has {model.Config.MaxPositionEmbeddings} positions. Use at most that.");
        }

        Console.WriteLine($"model: {model.Parameters.Count:N0} parameters; data: {training.Count:N0} examples for training, {heldOut.Count:N0} held out");
        if (heldOut.Count == 0 && config.HeldOutFraction > 0)
            Console.WriteLine($"nothing is held out, so nothing is evaluated: rows are held out in blocks of {HoldOut.BlockRows} neighbours, and none was drawn; name held_out_data, or raise held_out_fraction");
        if (checkOnly) return double.NaN;
        using var trainer = new RewardModelTrainer(model, config);
        List<RewardExample> sample = RewardData.Sample(heldOut, config.EvaluateRows, config.Seed);
        var order = new EpochOrder(training.Count, config.Seed, OrderSalt);
        double best = double.NegativeInfinity;
        int worse = 0;
        TrainingCheckpoint checkpoint = TrainingCheckpoint.Of(Name, config, [.. config.Data, .. config.HeldOutData, .. config.Negatives, .. config.NormalizeOn, config.Model, tokenizerFolder]);
        checkpoint.Track("model", model.Parameters.Flat, trainer.Optimizer);
        checkpoint.Track("best", () => [best, worse], b => (best, worse) = (b[0], (int)b[1]));
        using var loop = new TrainingLoop(Name, config, training.Count, checkpoint);
        loop.Run(
            (step, progress) =>
            {
                RewardExample[] batch = [.. order.Batch(step, config.BatchSize).Select(i => training[i])];
                (double loss, double norm) = trainer.Step(batch, (uint)order.EpochOf(((step + 1) * config.BatchSize) - 1), progress);
                return new TrainingStep(loss, norm);
            },
            () =>
            {
                RewardQuality quality = RewardQuality.Of(config, sample, trainer.Evaluate(sample));
                // NaN (nothing is held out) is never better or worse: the newest weights are then kept.
                if (!(quality.Headline < best))
                {
                    if (!(quality.Headline <= best)) worse = -1;
                    best = quality.Headline;
                    model.Save(config.Output, SafetensorsType.F32, tokenizerFolder);
                }

                if (++worse == config.Patience && worse > 0)
                {
                    Console.WriteLine($"stopping early: {worse} evaluations without a better one; the best model is saved");
                    loop.Stop();
                }

                return config.AdversarialEpsilon > 0 ? [.. Values(quality), ("loss/adversarial", trainer.AdversarialLoss)] : Values(quality);
            },
            cancellation);

        // What follows is done with the saved model, so weights, gradients and moments make room for it.
        trainer.Dispose();
        model.Dispose();

        // A process that died after Save left its gain and bias in the folder: they belong to the end, not to what was trained.
        using LlamaModel saved = LlamaModel.Load(config.Output, ModelHead.Scalar, TorchSharp.torch.device(config.Device), c => RewardFinish.AsTrained(c, model.Config), trainable: false);
        var scorer = new RewardScorer(saved, config);
        double[][] scores = scorer.Evaluate(heldOut);
        RewardQuality result = RewardQuality.Of(config, heldOut, scores);
        double temperature = config.Calibrate ? RewardFinish.Temperature(config, heldOut, scores) : 1;
        RewardFinish.Save(config, saved, scorer, tokenizer, labels, temperature, cancellation);
        loop.Log.Row("saved model", string.Create(CultureInfo.InvariantCulture, $"{heldOut.Count:N0} examples held out"), config.Calibrate ? [.. Values(result), ("eval/temperature", temperature)] : Values(result));
        loop.Complete();
        return result.Headline;
    }

    private static (string, double)[] Values(RewardQuality quality) =>
        [("eval/loss", quality.Loss), (quality.HeadlineName, quality.Headline), .. double.IsNaN(quality.CalibrationError) ? [] : ((string, double)[])[("eval/calibration_error", quality.CalibrationError)]];
}
