using System.Diagnostics;
using Rlhf.Algorithms;
using Rlhf.Core;
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

    /// <summary>One iteration's training.</summary>
    /// <param name="rows">Scored responses with reference log-probs.</param>
    /// <param name="progress">(steps done, steps planned).</param>
    /// <param name="cancellation">Honoured between optimiser steps.</param>
    /// <returns>The filled batch (for the trajectories) and the metrics.</returns>
    public (PpoBatch Batch, PpoMetrics Metrics) Train(IReadOnlyList<ScoredRollout> rows, Action<int, int>? progress, CancellationToken cancellation)
    {
        PpoBatch batch = PpoRows.ToBatch(rows, Policy.Config);
        bool[] finished = [.. rows.Select(r => r.Rollout.FinishReason != FinishReason.Length)];
        int iteration = State.Iteration;
        PpoMetrics metrics = _trainer.Train(batch, finished, iteration, progress, cancellation);
        return (batch, metrics);
    }

    public void SaveCheckpoint(string folder) => PpoCheckpoint.Save(folder, Policy, Critic, _trainer);

    public void Dispose()
    {
        _trainer.Dispose();
        Critic?.Dispose();
        Policy.Dispose();
    }
}
