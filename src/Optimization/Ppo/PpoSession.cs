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
public sealed class PpoSession : IDisposable
{
    private readonly RunConfig _run;
    private readonly PpoTrainer _trainer;

    private PpoSession(RunConfig run, LlamaModel policy, LlamaModel? critic)
    {
        (_run, Policy, Critic) = (run, policy, critic);
        _trainer = new PpoTrainer(policy, critic, run);
    }

    public LlamaModel Policy { get; }

    public LlamaModel? Critic { get; }

    public PpoState State => _trainer.State;

    /// <summary>Loads the configured policy, and the checkpoint where one is given.</summary>
    public static PpoSession Open(RunConfig run, string? checkpoint)
    {
        TorchThreads.Apply(run.Threads);
        torch.Device device = torch.device(run.Device);
        bool shared = run.Ppo.Critic == Rlhf.Core.Critic.Shared;
        LlamaModel policy = LlamaModel.Load(run.Policy, shared ? ModelHead.LanguageModelWithValue : ModelHead.LanguageModel, device);
        LlamaModel? critic = shared ? null : LlamaModel.Load(run.Policy, ModelHead.LanguageModelWithValue, device);
        var session = new PpoSession(run, policy, critic);
        if (checkpoint is not null) PpoCheckpoint.Load(checkpoint, policy, critic, session._trainer);
        return session;
    }

    /// <summary>Optimiser steps that an iteration takes unless target KL ends it early.</summary>
    public static int PlannedSteps(RunConfig run, int responses) => run.Ppo.Epochs * ((responses + run.Ppo.MinibatchSize - 1) / run.Ppo.MinibatchSize);

    /// <summary>One iteration: train on the rows, write the trajectories back.</summary>
    /// <param name="scoredFile">Where the rows came from; its columns are all kept.</param>
    /// <param name="rows">Scored responses with reference log-probs.</param>
    /// <param name="trajectories">Output: the scored file with old_logprobs, values, advantages and returns.</param>
    /// <param name="progress">(steps done, steps planned).</param>
    /// <param name="cancellation">Honoured between optimiser steps.</param>
    public PpoMetrics Iterate(string scoredFile, IReadOnlyList<ScoredRollout> rows, string trajectories, Action<int, int>? progress, CancellationToken cancellation)
    {
        PpoBatch batch = PpoRows.ToBatch(rows, Policy.Config);
        bool[] finished = [.. rows.Select(r => r.Rollout.FinishReason != FinishReason.Length)];
        PpoMetrics metrics = _trainer.Train(batch, finished, State.Iteration + 1, progress, cancellation);
        TrajectoryFile.Augment(scoredFile, trajectories, Enumerable.Range(0, rows.Count).Select(i => PpoRows.ToTargets(batch, i)));
        return metrics;
    }

    /// <summary>Exports the policy and holds it against torch on a probe batch.</summary>
    /// <exception cref="NumericalException">The two differ; the message names the first layer.</exception>
    public ExportedPolicy ExportPolicy(string folder)
    {
        long started = Stopwatch.GetTimestamp();
        ModelExport.Model(Policy, _run.Policy, folder);
        GateResult gate = EqualityGate.Check(folder, new LlamaWeights(Policy).Shape, TorchGate.Probes(Policy.Config, _run.Seed), new TorchGate(Policy));
        return new ExportedPolicy(folder, Policy.Parameters.Hash(), gate, Stopwatch.GetElapsedTime(started).TotalSeconds);
    }

    public void SaveCheckpoint(string folder) => PpoCheckpoint.Save(folder, Policy, Critic, _trainer);

    public void Dispose()
    {
        _trainer.Dispose();
        Critic?.Dispose();
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
