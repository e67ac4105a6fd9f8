using System.Diagnostics;
using Rlhf.Core;
using Rlhf.Export;
using Rlhf.Models;
using Rlhf.Trajectories;
using TorchSharp;

namespace Rlhf.Optimization;

/// <summary>
/// The trainer's side of a run: policy, critic, optimisers and state, kept warm by the loop or loaded from a checkpoint by the executable.
/// Both call the same methods in the same order, so both give the same bytes.
/// </summary>
public sealed class PolicySession : IDisposable
{
    private readonly RunConfig _run;
    private readonly PolicyTrainer _trainer;

    private readonly LlamaModel? _reference;

    private PolicySession(RunConfig run, LlamaModel policy, LlamaModel? critic, LlamaModel? reference)
    {
        (_run, Policy, Critic, _reference) = (run, policy, critic, reference);
        _trainer = new PolicyTrainer(policy, critic, run, reference, PretrainingMix.Open(run, policy.Config.MaxPositionEmbeddings));
    }

    public LlamaModel Policy { get; }

    public LlamaModel? Critic { get; }

    public PolicyState State => _trainer.State;

    /// <summary>Loads the configured policy, and the checkpoint where one is given.</summary>
    public static PolicySession Open(RunConfig run, string? checkpoint)
    {
        TorchThreads.Apply(run.Threads);
        torch.Device device = torch.device(run.Device);
        bool shared = run.Method.Critic == Rlhf.Core.Critic.Shared;
        LlamaModel policy = LlamaModel.Load(run.Policy, shared ? ModelHead.LanguageModelWithValue : ModelHead.LanguageModel, device);
        LlamaModel? critic = run.Method.Critic == Rlhf.Core.Critic.Separate ? LlamaModel.Load(run.Policy, ModelHead.LanguageModelWithValue, device) : null;
        LlamaModel? reference = run.Method.NeedsReferenceModel
            ? LlamaModel.Load(run.Reference.Length > 0 ? run.Reference : run.Policy, ModelHead.LanguageModel, device, trainable: false)
            : null;
        var session = new PolicySession(run, policy, critic, reference);
        if (checkpoint is not null) PolicyCheckpoint.Load(checkpoint, policy, critic, session._trainer);
        return session;
    }

    /// <summary>Optimiser steps that an iteration takes unless target KL ends it early.</summary>
    public static int PlannedSteps(RunConfig run, int responses) => run.Method.Epochs * ((responses + run.Method.MinibatchSize - 1) / run.Method.MinibatchSize);

    /// <summary>One iteration: train on the rows, write the trajectories back.</summary>
    /// <param name="scoredFile">Where the rows came from; its columns are all kept.</param>
    /// <param name="rows">Scored responses with reference log-probs.</param>
    /// <param name="trajectories">Output: the scored file with old_logprobs, values, advantages and returns.</param>
    /// <param name="progress">(steps done, steps planned).</param>
    /// <param name="cancellation">Honoured between optimiser steps.</param>
    /// <param name="others">Scores of greedy and reference responses to the same prompts, where the method subtracts them.</param>
    /// <param name="keeper">Takes a checkpoint when the work is interrupted, and gives the one of an interrupted attempt.</param>
    public PolicyMetrics Iterate(
        string scoredFile, IReadOnlyList<ScoredRollout> rows, string trajectories, Action<int, int>? progress, CancellationToken cancellation, PromptScores? others = null,
        IterationKeeper? keeper = null)
    {
        TrajectoryBatch batch = TrajectoryRows.ToBatch(rows, Policy.Config);
        others?.Fill(batch, rows);
        PolicyMetrics metrics = _trainer.Train(batch, State.Iteration + 1, progress, keeper, cancellation);
        TrajectoryFile.Augment(scoredFile, trajectories, Enumerable.Range(0, rows.Count).Select(i => TrajectoryRows.ToTargets(batch, i, _run.Method.Critic != Rlhf.Core.Critic.None)));
        return metrics;
    }

    /// <summary>Exports the policy, seals the folder, and holds it against torch on a probe batch.</summary>
    /// <exception cref="NumericalException">The two differ; the message names the first layer.</exception>
    public ExportedPolicy ExportPolicy(string folder)
    {
        long started = Stopwatch.GetTimestamp();
        ModelExport.Model(Policy, _run.Policy, folder);
        FolderSeal.Write(folder);
        GateResult gate = EqualityGate.Check(folder, new LlamaWeights(Policy).Shape, TorchGate.Probes(Policy.Config, _run.Seed), new TorchGate(Policy));
        return new ExportedPolicy(folder, Policy.Parameters.Hash(), gate, Stopwatch.GetElapsedTime(started).TotalSeconds);
    }

    /// <summary>From now on every learning rate is multiplied by this too; checkpoints keep it.</summary>
    public void ScaleLearningRate(double factor) => _trainer.State = State with { LearningRateFactor = State.LearningRateFactor * factor };

    /// <summary>The rest of an iteration was interrupted after <see cref="Iterate"/>: keeps the training, so that the next process goes on after it.</summary>
    public void KeepTrained(IterationKeeper keeper) => keeper.KeepEnded(Policy, Critic, _trainer);

    /// <summary>Copies what a checkpoint holds, to be written later or on another thread.</summary>
    public void TakeSnapshot(PolicySnapshot snapshot) => snapshot.Take(Policy, Critic, _trainer);

    public void SaveCheckpoint(string folder) => PolicyCheckpoint.Save(folder, Policy, Critic, _trainer);

    public void Dispose()
    {
        _trainer.Dispose();
        Critic?.Dispose();
        _reference?.Dispose();
        Policy.Dispose();
    }
}

/// <summary>An exported policy and how well it agrees with torch.</summary>
/// <param name="Folder">The ONNX folder.</param>
/// <param name="Hash">SHA-256 of the weights.</param>
/// <param name="Gate">Distances on the probe batch.</param>
/// <param name="Seconds">Wall-clock of export and gate.</param>
public sealed record ExportedPolicy(string Folder, string Hash, GateResult Gate, double Seconds)
{
    /// <summary>By the names of the metric catalogue.</summary>
    public Dictionary<string, double> ToDictionary() => new()
    {
        ["gate/mean_abs_dp"] = Gate.MeanProbabilityDifference,
        ["gate/mean_exp_abs_dlogp"] = Gate.MeanRatio,
        ["time/export_seconds"] = Seconds,
    };
}
