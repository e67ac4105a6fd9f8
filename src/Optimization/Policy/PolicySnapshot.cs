using System.Text.Json;
using Rlhf.Core;
using Rlhf.Models;
using TorchSharp;

namespace Rlhf.Optimization;

/// <summary>
/// Everything that the next iteration depends on, copied to host memory: taking it costs a copy, writing it can happen beside the next
/// iteration. Its arrays are used again by the next snapshot.
/// </summary>
public sealed class PolicySnapshot
{
    internal const string Weights = "weights.safetensors", StateFile = "state.json";

    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true };

    private readonly SortedDictionary<string, float[]> _tensors = new(StringComparer.Ordinal);
    private SavedState _state = new(0, 0, 0, 0, 0, 0, 0, "");

    /// <summary>Copies weights, optimiser moments and state.</summary>
    /// <param name="policy">Value head included.</param>
    /// <param name="critic">The separate value model, or null.</param>
    /// <param name="trainer">Optimisers and state.</param>
    public void Take(LlamaModel policy, LlamaModel? critic, PolicyTrainer trainer)
    {
        Copy("policy", policy.Parameters.Flat, trainer.PolicyOptimizer);
        if (critic is not null) Copy("critic", critic.Parameters.Flat, trainer.CriticOptimizer!);
        PolicyState state = trainer.State;
        _state = new SavedState(
            state.Iteration, state.KlCoefficient, state.ScoreMoments.Count, state.ScoreMoments.Mean, state.ScoreMoments.SumOfSquares,
            trainer.PolicyOptimizer.Step, trainer.CriticOptimizer?.Step ?? 0, "", state.PenaltyCoefficient, state.Baseline.Sum, state.Baseline.Weight, state.LearningRateFactor);
    }

    /// <summary>Adds a column whose numbers float32 holds exactly.</summary>
    public void Put(string name, ReadOnlySpan<double> column)
    {
        float[] numbers = Room(name, column.Length);
        for (int i = 0; i < numbers.Length; i++) numbers[i] = (float)column[i];
    }

    /// <summary>Refuses a folder that holds anything else than a checkpoint, which would be lost with it.</summary>
    /// <param name="option">The option that named it, for the error.</param>
    /// <param name="folder">It need not be there.</param>
    /// <exception cref="ConfigurationException">It holds something else.</exception>
    public static void CheckReplaces(string option, string folder) =>
        ReplacedFolder.Check(option, folder, "a checkpoint", name => name is Weights or StateFile or FolderSeal.FileName or "metrics.jsonl");

    /// <summary>Writes the checkpoint folder: whole or not at all, with checksums.</summary>
    /// <param name="folder">Its final name.</param>
    /// <param name="more">Writes further files into it before it is sealed.</param>
    /// <exception cref="BadDataException">It cannot be written; an older folder of that name is as it was.</exception>
    public void Write(string folder, Action<WholeFolder>? more = null)
    {
        using var whole = new WholeFolder(folder);
        string hash = SafetensorsWriter.WriteHashed(whole.FilePath(Weights), _tensors.Select(t => SafetensorsOutput.Of(t.Key, t.Value)), SafetensorsType.F32);
        WholeFile.WriteAllText(whole.FilePath(StateFile), JsonSerializer.Serialize(_state with { Sha256 = hash }, Json) + "\n");
        more?.Invoke(whole);
        FolderSeal.Write(whole.PartialPath, new Dictionary<string, string> { [Weights] = hash });
        whole.Complete();
    }

    private void Copy(string name, torch.Tensor flat, AdamW optimizer)
    {
        Copy(name, flat);
        Copy($"{name}.first_moment", optimizer.FirstMoment);
        Copy($"{name}.second_moment", optimizer.SecondMoment);
    }

    private float[] Room(string name, long count)
    {
        if (!_tensors.TryGetValue(name, out float[]? numbers) || numbers.Length != count) _tensors[name] = numbers = new float[count];
        return numbers;
    }

    private void Copy(string name, torch.Tensor tensor) => HostTensors.Read(tensor, Room(name, tensor.numel()));
}

/// <summary>state.json of a checkpoint.</summary>
internal sealed record SavedState(
    int Iteration, double KlCoefficient, long MomentsCount, double MomentsMean, double MomentsM2, long PolicySteps, long CriticSteps, string Sha256,
    double PenaltyCoefficient = 0, double BaselineSum = 0, double BaselineWeight = 0, double LearningRateFactor = 1);
