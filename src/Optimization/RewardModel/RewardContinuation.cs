using Rlhf.Algorithms;
using Rlhf.Core;
using Rlhf.Models;
using Rlhf.Tokenization;
using TorchSharp;

namespace Rlhf.Optimization;

/// <summary>How a reward model that exists already goes on learning.</summary>
public sealed record RewardContinuationOptions
{
    /// <summary>Optimiser steps of one training.</summary>
    public required int Steps { get; init; }

    /// <summary>Peak; it rises over a tenth of the steps and falls linearly to 0.</summary>
    public required double LearningRate { get; init; }

    /// <summary>Examples of a step.</summary>
    public int BatchSize { get; init; } = 32;

    /// <summary>Share of a step's examples that are negatives, where there are any.</summary>
    public double NegativeShare { get; init; } = 0.25;

    /// <summary>Share of a step's examples that are anchors, where there are any.</summary>
    public double AnchorShare { get; init; } = 0.25;

    /// <summary>ε of the embedding perturbation; 0: none.</summary>
    public double AdversarialEpsilon { get; init; }

    /// <summary>Held-out examples by which <see cref="RewardContinuation.Quality"/> judges.</summary>
    public int EvaluateRows { get; init; } = 1000;
}

/// <summary>
/// A trained reward model that goes on learning: its labelled data is replayed, so that it keeps what it knows, and texts that fool it are the
/// negatives of its objective. A training is a pure function of the weights before it, the negatives and its number: each has an optimiser and a
/// place in the labelled data of its own, so nothing but the weights is carried from one to the next.
/// </summary>
public sealed class RewardContinuation : IDisposable
{
    private const uint LabelledSalt = 0x2E4, NegativeSalt = 0x2E500000, AnchorSalt = 0x2E7;

    // Rows of anchors have addresses of their own.
    private const long FirstAnchor = 1L << 29;

    private readonly RewardModelConfig _config;
    private readonly RewardContinuationOptions _options;
    private readonly Tokenizer _tokenizer;
    private readonly List<RewardExample> _labelled;
    private readonly List<RewardExample> _heldOut;
    private readonly List<RewardExample> _sample;
    private LlamaModel _model;

    private RewardContinuation(RewardModelConfig config, RewardContinuationOptions options, string folder, Tokenizer tokenizer, CancellationToken cancellation)
    {
        int warmUp = Math.Max(1, options.Steps / 10);
        _config = config with
        {
            AdversarialEpsilon = options.AdversarialEpsilon,
            Optimizer = config.Optimizer with { LearningRate = options.LearningRate, WarmupSteps = warmUp, Schedule = LearningRateShape.Linear, FinalFraction = 0 },
        };
        (_options, _tokenizer) = (options, tokenizer);
        (_labelled, _heldOut) = RewardData.Labelled(config, tokenizer, cancellation);
        if (_heldOut.Count == 0) throw new ConfigurationException("held_out_fraction, held_out_data: nothing is held out, so nobody could tell whether the reward model keeps its accuracy.");
        _sample = RewardData.Sample(_heldOut, options.EvaluateRows, config.Seed);
        _model = Load(folder);
        if (config.MaxLength > _model.Config.MaxPositionEmbeddings)
        {
            int positions = _model.Config.MaxPositionEmbeddings;
            _model.Dispose();
            throw new ConfigurationException($"max_length is {config.MaxLength}; the model has {positions} positions. Use at most that.");
        }
    }

    /// <summary>Every held-out example of the configuration.</summary>
    public IReadOnlyList<RewardExample> HeldOut => _heldOut;

    public LlamaModel Model => _model;

    /// <summary>Reads labelled data and model.</summary>
    /// <param name="config">As the model was trained with; its model, output, epochs and learning rate are not used.</param>
    /// <param name="options">Of every training.</param>
    /// <param name="folder">The reward model, Hugging Face layout.</param>
    /// <param name="cancellation">While reading.</param>
    /// <exception cref="ConfigurationException">The objective takes no negatives, or nothing is held out.</exception>
    /// <exception cref="BadModelException">The folder holds no reward model.</exception>
    public static RewardContinuation Open(RewardModelConfig config, RewardContinuationOptions options, string folder, CancellationToken cancellation)
    {
        Check(config);
        Tokenizer tokenizer = Tokenizer.Open(folder);
        try
        {
            return new RewardContinuation(config, options, folder, tokenizer, cancellation);
        }
        catch
        {
            tokenizer.Dispose();
            throw;
        }
    }

    /// <summary>What cannot be gone on with, before any work.</summary>
    /// <exception cref="ConfigurationException">The objective has no negatives, or its rewards are not what it was trained on.</exception>
    public static void Check(RewardModelConfig config)
    {
        if (config.Objective is RewardObjective.KWise or RewardObjective.PlackettLuce or RewardObjective.Process)
            throw new ConfigurationException($"objective: {config.Objective} has no place for texts that belong to no comparison; a reward model of binary, discriminator, regression, huber or pairwise can go on learning.");
        if (config.NormalizeOn.Count > 0)
            throw new ConfigurationException("normalize_on: the saved model's rewards are scaled to its reference texts, so its objective would be read in another unit. Go on with the model as it was before, or without normalize_on.");
        if (config.Data.Count == 0) throw new ConfigurationException("data: no labelled data is named; it is replayed so that the model keeps its accuracy.");
    }

    /// <summary>Texts of a table as negatives of the objective.</summary>
    public List<RewardExample> Negatives(string file, CancellationToken cancellation) => RewardData.Negatives(_config, [file], _tokenizer, _labelled, cancellation);

    /// <summary>
    /// Ordinary responses that are to keep the reward which the model gives them now: without them "this fools me" grows into "a policy wrote this". For binary models
    /// the label is σ(score), for scores the score; comparisons and discriminators have no place for them.
    /// </summary>
    /// <param name="files">Path or glob, with the columns of the negatives.</param>
    /// <param name="cancellation">Between rows.</param>
    public List<RewardExample> Anchors(string files, CancellationToken cancellation)
    {
        if (_config.Objective is not (RewardObjective.Binary or RewardObjective.Regression or RewardObjective.Huber)) return [];
        List<RewardExample> texts = Negatives(files, cancellation);
        double[] scores = Score(texts);
        bool isBinary = _config.Objective == RewardObjective.Binary;
        return [.. texts.Select((t, i) => t with { Label = isBinary ? Logistic.Sigmoid(scores[i]) : scores[i], Row = t.Row + FirstAnchor })];
    }

    /// <summary>How good the model is on (a fixed sample of) what is held out.</summary>
    public RewardQuality Quality() => RewardQuality.Of(_config, _sample, Evaluate(_sample));

    /// <summary>[examples] reward of each example's last text (of a pair, the negative); as the saved model gives it, before any transform.</summary>
    public double[] Score(IReadOnlyList<RewardExample> examples) => [.. Evaluate(examples).Select(s => s[^1])];

    /// <summary>One training.</summary>
    /// <param name="negatives">May be empty: then labelled data alone.</param>
    /// <param name="anchors">Of <see cref="Anchors"/>; may be empty.</param>
    /// <param name="number">From 0: how many trainings there were before.</param>
    /// <param name="cancellation">Between steps; the weights are then those of some step.</param>
    /// <returns>Mean loss of the steps.</returns>
    /// <exception cref="NumericalException">Loss or weights are not finite.</exception>
    public double Train(IReadOnlyList<RewardExample> negatives, IReadOnlyList<RewardExample> anchors, int number, CancellationToken cancellation)
    {
        using var trainer = new RewardModelTrainer(_model, _config);
        int hard = Part(negatives, _options.NegativeShare, _options.BatchSize - 1), held = Part(anchors, _options.AnchorShare, _options.BatchSize - 1 - hard);
        var replay = new EpochOrder(_labelled.Count, _config.Seed, LabelledSalt);
        var found = new EpochOrder(Math.Max(1, negatives.Count), _config.Seed, NegativeSalt + (uint)number);
        var kept = new EpochOrder(Math.Max(1, anchors.Count), _config.Seed, AnchorSalt);
        double loss = 0;
        for (int step = 0; step < _options.Steps; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            long all = ((long)number * _options.Steps) + step;
            RewardExample[] batch =
            [
                .. replay.Batch(all, _options.BatchSize - hard - held).Select(i => _labelled[i]), .. found.Batch(step, hard).Select(i => negatives[i]), .. kept.Batch(all, held).Select(i => anchors[i]),
            ];
            loss += trainer.Step(batch, (uint)all, step / (double)_options.Steps).Loss;
        }

        return loss / _options.Steps;
    }

    private int Part(IReadOnlyList<RewardExample> examples, double share, int most) => examples.Count == 0 ? 0 : Math.Clamp((int)Math.Round(share * _options.BatchSize), 0, most);

    /// <summary>Goes back (or on) to the weights of a folder.</summary>
    public void Reload(string folder)
    {
        LlamaModel model = Load(folder);
        _model.Dispose();
        _model = model;
    }

    /// <summary>Writes the model as a Hugging Face folder (float32: bit for bit) and as an ONNX folder, each with its seal.</summary>
    public void Save(string weights, string onnx, string tokenizerFrom)
    {
        using (var whole = new WholeFolder(weights))
        {
            _model.Save(whole.PartialPath, SafetensorsType.F32, tokenizerFrom);
            FolderSeal.Write(whole.PartialPath);
            whole.Complete();
        }

        ModelExport.Model(_model, tokenizerFrom, onnx);
        FolderSeal.Write(onnx);
    }

    private double[][] Evaluate(IReadOnlyList<RewardExample> examples) => new RewardScorer(_model, _config).Evaluate(examples);

    private LlamaModel Load(string folder)
    {
        if (LlamaConfig.Load(folder).Head != ModelHead.Scalar) throw new BadModelException($"{folder}: not a reward model; config.json has no scalar head. Train one by 'rlhf optimize reward-model' first.");
        return LlamaModel.Load(folder, ModelHead.Scalar, torch.device(_config.Device));
    }

    public void Dispose()
    {
        _model.Dispose();
        _tokenizer.Dispose();
    }
}
