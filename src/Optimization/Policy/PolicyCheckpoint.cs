using System.Runtime.InteropServices;
using System.Text.Json;
using Rlhf.Algorithms;
using Rlhf.Core;
using Rlhf.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization;

/// <summary>
/// Everything that the next iteration depends on, as one folder: float32 weights (value head included), both moments of the optimiser and
/// its step, β, running moments, the iteration. Written beside and renamed; exact to the bit.
/// </summary>
public static class PolicyCheckpoint
{
    private const string Weights = "weights.safetensors", StateFile = "state.json";

    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true };

    private sealed record Saved(int Iteration, double KlCoefficient, long MomentsCount, double MomentsMean, double MomentsM2, long PolicySteps, long CriticSteps, string Sha256,
        double PenaltyCoefficient, double BaselineSum, double BaselineWeight);

    public static void Save(string folder, LlamaModel policy, LlamaModel? critic, PolicyTrainer trainer)
    {
        using var whole = new WholeFolder(folder);
        var tensors = new List<SafetensorsOutput>
        {
            Flat("policy", policy.Parameters.Flat),
            Flat("policy.first_moment", trainer.PolicyOptimizer.FirstMoment),
            Flat("policy.second_moment", trainer.PolicyOptimizer.SecondMoment),
        };
        if (critic is not null)
        {
            tensors.Add(Flat("critic", critic.Parameters.Flat));
            tensors.Add(Flat("critic.first_moment", trainer.CriticOptimizer!.FirstMoment));
            tensors.Add(Flat("critic.second_moment", trainer.CriticOptimizer!.SecondMoment));
        }

        SafetensorsWriter.Write(whole.FilePath(Weights), tensors, SafetensorsType.F32);
        PolicyState state = trainer.State;
        var saved = new Saved(
            state.Iteration, state.KlCoefficient, state.ScoreMoments.Count, state.ScoreMoments.Mean, state.ScoreMoments.SumOfSquares,
            trainer.PolicyOptimizer.Step, trainer.CriticOptimizer?.Step ?? 0, Sha256.OfFile(whole.FilePath(Weights)),
            state.PenaltyCoefficient, state.Baseline.Sum, state.Baseline.Weight);
        File.WriteAllText(whole.FilePath(StateFile), JsonSerializer.Serialize(saved, Json) + "\n");
        FolderSeal.Write(whole.PartialPath);
        whole.Complete();
    }

    /// <summary>Puts a checkpoint into models and trainer of the same shape.</summary>
    /// <exception cref="BadModelException">Missing, damaged (checksum) or of another shape.</exception>
    public static void Load(string folder, LlamaModel policy, LlamaModel? critic, PolicyTrainer trainer)
    {
        string weights = Path.Combine(folder, Weights), stateFile = Path.Combine(folder, StateFile);
        Saved saved;
        try
        {
            saved = JsonSerializer.Deserialize<Saved>(File.ReadAllText(stateFile)) ?? throw new JsonException("it holds null");
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
        Fill(reader, "policy", policy.Parameters.Flat);
        Fill(reader, "policy.first_moment", trainer.PolicyOptimizer.FirstMoment);
        Fill(reader, "policy.second_moment", trainer.PolicyOptimizer.SecondMoment);
        trainer.PolicyOptimizer.Step = saved.PolicySteps;
        if (critic is not null)
        {
            Fill(reader, "critic", critic.Parameters.Flat);
            Fill(reader, "critic.first_moment", trainer.CriticOptimizer!.FirstMoment);
            Fill(reader, "critic.second_moment", trainer.CriticOptimizer!.SecondMoment);
            trainer.CriticOptimizer.Step = saved.CriticSteps;
        }

        trainer.State = new PolicyState(saved.Iteration, saved.KlCoefficient, new Moments(saved.MomentsCount, saved.MomentsMean, saved.MomentsM2),
            saved.PenaltyCoefficient, new MovingAverageState(saved.BaselineSum, saved.BaselineWeight));
    }

    private static SafetensorsOutput Flat(string name, Tensor tensor) => new(name, [tensor.numel()], destination =>
    {
        using Tensor host = tensor.detach().cpu().contiguous();
        MemoryMarshal.Cast<byte, float>(host.bytes).CopyTo(destination);
    });

    private static void Fill(SafetensorsReader reader, string name, Tensor tensor)
    {
        using IDisposable noGrad = no_grad();
        float[] values = new float[tensor.numel()];
        reader.Read(name, values);
        using Tensor host = torch.tensor(values);
        tensor.copy_(host);
    }
}
