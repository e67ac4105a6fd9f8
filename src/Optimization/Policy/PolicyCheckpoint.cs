using System.Text.Json;
using Rlhf.Algorithms;
using Rlhf.Core;
using Rlhf.Models;

namespace Rlhf.Optimization;

/// <summary>
/// Everything that the next iteration depends on, as one folder: float32 weights (value head included), both moments of the optimiser and
/// its step, β, running moments, the iteration. Written beside and renamed; exact to the bit.
/// </summary>
public static class PolicyCheckpoint
{
    private const string Weights = PolicySnapshot.Weights, StateFile = PolicySnapshot.StateFile;

    /// <summary>Takes a snapshot and writes it.</summary>
    public static void Save(string folder, LlamaModel policy, LlamaModel? critic, PolicyTrainer trainer)
    {
        var snapshot = new PolicySnapshot();
        snapshot.Take(policy, critic, trainer);
        snapshot.Write(folder);
    }

    /// <summary>Puts a checkpoint into models and trainer of the same shape.</summary>
    /// <exception cref="BadModelException">Missing, damaged (checksum) or of another shape.</exception>
    public static void Load(string folder, LlamaModel policy, LlamaModel? critic, PolicyTrainer trainer)
    {
        string weights = Path.Combine(folder, Weights), stateFile = Path.Combine(folder, StateFile);
        SavedState saved;
        try
        {
            saved = JsonSerializer.Deserialize<SavedState>(File.ReadAllText(stateFile)) ?? throw new JsonException("it holds null");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new BadModelException($"{stateFile}: not a checkpoint ({e.Message}). Go on from an older one, or start again.", e);
        }

        if (!File.Exists(weights) || Sha256.OfFile(weights) != saved.Sha256)
        {
            throw new BadModelException($"{weights}: missing or damaged: its SHA-256 is not the one in {StateFile}. Go on from an older checkpoint.");
        }

        using SafetensorsReader reader = SafetensorsReader.Open(weights);
        HostTensors.Fill(reader, "policy", policy.Parameters.Flat);
        HostTensors.Fill(reader, "policy.first_moment", trainer.PolicyOptimizer.FirstMoment);
        HostTensors.Fill(reader, "policy.second_moment", trainer.PolicyOptimizer.SecondMoment);
        trainer.PolicyOptimizer.Step = saved.PolicySteps;
        if (critic is not null)
        {
            HostTensors.Fill(reader, "critic", critic.Parameters.Flat);
            HostTensors.Fill(reader, "critic.first_moment", trainer.CriticOptimizer!.FirstMoment);
            HostTensors.Fill(reader, "critic.second_moment", trainer.CriticOptimizer!.SecondMoment);
            trainer.CriticOptimizer.Step = saved.CriticSteps;
        }

        trainer.State = new PolicyState(saved.Iteration, saved.KlCoefficient, new Moments(saved.MomentsCount, saved.MomentsMean, saved.MomentsM2),
            saved.PenaltyCoefficient, new MovingAverageState(saved.BaselineSum, saved.BaselineWeight), saved.LearningRateFactor);
    }
}
