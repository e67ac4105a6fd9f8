using System.Globalization;
using Rlhf.Algorithms;
using Rlhf.Core;
using Rlhf.Models;
using Rlhf.Tokenization;
using static TorchSharp.torch;

namespace Rlhf.Optimization;

/// <summary>Preference training from a configuration: data → reference log-probs → training with held-out accuracy → model folder and ONNX folder.</summary>
public static class PreferenceStage
{
    private const uint OrderSalt = 0x9EF;

    /// <returns>Held-out sums of the trained policy.</returns>
    public static PreferenceLossSums Run(PreferenceConfig config, CancellationToken cancellation) => Run(config, checkOnly: false, cancellation);

    /// <summary>Reads everything that the training would read, and tells it; trains and writes nothing.</summary>
    /// <exception cref="RlhfException">What <see cref="Run(PreferenceConfig, CancellationToken)"/> would refuse.</exception>
    public static void Check(PreferenceConfig config, CancellationToken cancellation) => Run(config, checkOnly: true, cancellation);

    private static PreferenceLossSums Run(PreferenceConfig config, bool checkOnly, CancellationToken cancellation)
    {
        TorchThreads.Apply(config.Threads);
        using Tokenizer tokenizer = Tokenizer.Open(config.Model);
        PreferenceData data = PreferenceData.Load(config, tokenizer, cancellation);
        Device where = device(config.Device);
        using LlamaModel model = LlamaModel.Load(config.Model, ModelHead.LanguageModel, where);
        CheckFits(config, data, model.Config);
        Console.WriteLine($"model: {model.Parameters.Count:N0} parameters; data: {data.Training.Count:N0} preferences for training, {data.HeldOut.Count:N0} held out");
        if (checkOnly)
        {
            Reference(config, model, where)?.Dispose();
            return default;
        }

        if (PreferenceObjectives.Of(config).NeedsReference) ScoreReference(config, model, data, where, cancellation);

        using var trainer = new PreferenceTrainer(model, config);
        PreferenceLossSums since = default, heldOut = default;
        TrainingCheckpoint checkpoint = TrainingCheckpoint.Of(Name(config), config, [.. config.Data, config.Model, config.Reference]);
        checkpoint.Track("model", model.Parameters.Flat, trainer.Optimizer);
        checkpoint.Track(
            "since", () => [since.Loss, since.Pairs, since.Correct, since.ChosenRewardSum, since.RejectedRewardSum],
            s => since = new PreferenceLossSums(s[0], (long)s[1], (long)s[2], s[3], s[4]));
        using var loop = new TrainingLoop(Name(config), config, data.Training.Count, checkpoint);
        var order = new EpochOrder(data.Training.Count, config.Seed, OrderSalt);
        if (!loop.GoesOn) heldOut = trainer.Evaluate(data.HeldOut);
        if (heldOut.Pairs > 0) loop.Log.Row("before", string.Create(CultureInfo.InvariantCulture, $"{data.HeldOut.Count:N0} held out"), Values(heldOut));
        loop.Run(
            (step, progress) =>
            {
                PreferenceExample[] batch = [.. order.Batch(step, config.BatchSize).Select(i => data.Training[i])];
                (PreferenceLossSums sums, double norm) = trainer.Step(batch, progress);
                since += sums;
                return new TrainingStep(sums.Loss, norm, batch.Sum(e => e.Responses.Sum(r => (long)r.ResponseLength)));
            },
            () =>
            {
                heldOut = trainer.Evaluate(data.HeldOut);
                model.Save(config.Output, SafetensorsType.F32, config.Model);
                (string, double)[] values = [("accuracy", since.Accuracy), ("preference/margin", since.Margin), .. Values(heldOut)];
                since = default;
                return values;
            },
            cancellation);
        if (config.Export) ModelExport.Model(model, config.Model, Path.Combine(config.Output, "onnx"));
        loop.Complete();
        return heldOut;
    }

    internal static string Name(PreferenceConfig config) => config.Method.ToString().ToLowerInvariant();

    /// <summary>The reference where it is another model than the policy at the start, and where the method has one.</summary>
    private static LlamaModel? Reference(PreferenceConfig config, LlamaModel policy, Device where)
    {
        if (config.Reference.Length == 0 || !PreferenceObjectives.Of(config).NeedsReference) return null;
        int tokens = LlamaConfig.Load(config.Reference).VocabSize;
        if (tokens == policy.Config.VocabSize) return LlamaModel.Load(config.Reference, ModelHead.LanguageModel, where, trainable: false);
        throw new BadModelException($"reference: {config.Reference} has {tokens} tokens, the policy {policy.Config.VocabSize}; both must read the same tokens.");
    }

    private static void ScoreReference(PreferenceConfig config, LlamaModel policy, PreferenceData data, Device where, CancellationToken cancellation)
    {
        using LlamaModel? other = Reference(config, policy, where);
        PreferenceExample[] all = [.. data.Training, .. data.HeldOut];
        using var bar = new ProgressReport("reference log-probs", all.Length, "preferences");
        int told = 0;
        ReferenceLogProbs.Fill(other ?? policy, all, config.MicroBatchTokens, where, done =>
        {
            cancellation.ThrowIfCancellationRequested();
            bar.Advance(done - told);
            told = done;
        });
    }

    private static void CheckFits(PreferenceConfig config, PreferenceData data, LlamaConfig model)
    {
        if (config.MaxLength > model.MaxPositionEmbeddings + 1)
        {
            throw new ConfigurationException($"max_length is {config.MaxLength}; the model has {model.MaxPositionEmbeddings} positions. Use at most {model.MaxPositionEmbeddings + 1}.");
        }

        foreach (PreferenceExample example in data.Training.Concat(data.HeldOut))
        {
            foreach (TrainingSequence sequence in example.Responses)
            {
                int largest = 0;
                foreach (int token in sequence.Tokens.Span) largest = token < 0 ? int.MaxValue : Math.Max(largest, token);
                if (largest < model.VocabSize) continue;
                throw new BadDataException($"row {example.Row}: its tokens reach {largest}; the model has {model.VocabSize}. Were the pairs made with another tokenizer?");
            }
        }
    }

    /// <summary>Nothing when nothing is held out.</summary>
    private static (string, double)[] Values(PreferenceLossSums sums) =>
        sums.Pairs == 0 ? [] : [("eval/loss", sums.Loss), ("eval/accuracy", sums.Accuracy), ("eval/preference_margin", sums.Margin)];
}
