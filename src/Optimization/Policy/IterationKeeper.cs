using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Serialization;
using Rlhf.Core;
using Rlhf.Models;

namespace Rlhf.Optimization;

/// <summary>
/// The checkpoint within an iteration: a stopped one goes on after its last minibatch instead of from its start. Holds weights, moments and state as any checkpoint does, and
/// besides the log-probs, values and entropies of the weights before the iteration, the position, and the sums of the metrics so far.
/// </summary>
/// <param name="folder">Where the checkpoint goes; written beside, sealed and renamed.</param>
/// <param name="iteration">The iteration at work, from 1.</param>
/// <param name="data">What it trains on (a hash of the scored files): a checkpoint of other data is not taken.</param>
/// <param name="every">Writes one whenever this much time has passed; zero: only when the work is interrupted.</param>
/// <param name="snapshot">Host memory that is used again.</param>
public sealed class IterationKeeper(string folder, int iteration, string data, TimeSpan every, PolicySnapshot snapshot)
{
    private const string PositionFile = "position.json";

    private static readonly JsonSerializerOptions Json = new()
    {
        WriteIndented = true, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals, IgnoreReadOnlyProperties = true,
    };

    private long _last = Stopwatch.GetTimestamp();

    /// <summary>Times that the iteration was begun again with a lower learning rate; kept with the position.</summary>
    public int StepsBack { get; set; }

    /// <summary>What the last <see cref="Keep"/> wrote, or null.</summary>
    public DescentPosition? Kept { get; private set; }

    /// <summary>Set when the last minibatch is done; what comes after it in the iteration may be interrupted too.</summary>
    public DescentEnd? Ended { get; set; }

    /// <summary>True when it is time for the next checkpoint.</summary>
    public bool IsDue => every > TimeSpan.Zero && Stopwatch.GetElapsedTime(_last) >= every;

    /// <summary>Writes the checkpoint in place of an older one.</summary>
    /// <exception cref="BadDataException">It cannot be written; an older one is as it was.</exception>
    public void Keep(LlamaModel policy, LlamaModel? critic, PolicyTrainer trainer, TrajectoryBatch batch, DescentPosition at)
    {
        snapshot.Take(policy, critic, trainer);
        foreach ((string name, double[] column) in Columns(batch)) snapshot.Put(name, column);
        snapshot.Write(folder, whole => WholeFile.WriteAllText(whole.FilePath(PositionFile), JsonSerializer.Serialize(new SavedPosition(iteration, data, StepsBack, at), Json) + "\n"));
        (Kept, _last) = (at, Stopwatch.GetTimestamp());
    }

    /// <summary>Writes the checkpoint after the last minibatch; the weights are still those of then.</summary>
    /// <exception cref="BadDataException">It cannot be written; an older one is as it was.</exception>
    public void KeepEnded(LlamaModel policy, LlamaModel? critic, PolicyTrainer trainer)
    {
        if (Ended is not { } end) return;
        PolicyState after = trainer.State;
        trainer.State = end.State;
        Keep(policy, critic, trainer, end.Batch, end.At);
        trainer.State = after;
    }

    /// <summary>Puts the checkpoint into models, trainer and batch. Null, with a warning, where there is none that is whole and of this iteration: nothing is touched then.</summary>
    public DescentPosition? Restore(LlamaModel policy, LlamaModel? critic, PolicyTrainer trainer, TrajectoryBatch batch)
    {
        if (!Directory.Exists(folder) || Read(batch) is not { } saved) return null;
        PolicyCheckpoint.Load(folder, policy, critic, trainer);
        using (SafetensorsReader reader = SafetensorsReader.Open(Path.Combine(folder, PolicySnapshot.Weights)))
        {
            foreach ((string name, double[] column) in Columns(batch))
            {
                float[] numbers = new float[column.Length];
                reader.Read(name, numbers);
                for (int t = 0; t < numbers.Length; t++) column[t] = numbers[t];
            }
        }

        StepsBack = saved.StepsBack;
        Log.Info($"iteration {iteration} goes on {saved.Position}.");
        return saved.Position;
    }

    private SavedPosition? Read(TrajectoryBatch batch)
    {
        string? problem = FolderSeal.Problems(folder) is { Count: > 0 } damage ? $"is damaged ({damage[0].TrimEnd('.')})" : null;
        SavedPosition? saved = null;
        if (problem is null)
        {
            try
            {
                saved = JsonSerializer.Deserialize<SavedPosition>(File.ReadAllText(Path.Combine(folder, PositionFile)), Json);
                using SafetensorsReader reader = SafetensorsReader.Open(Path.Combine(folder, PolicySnapshot.Weights));
                if (saved is not { Position.IsPossible: true }) problem = $"is damaged ({PositionFile} names no place in an iteration)";
                else if (saved.Iteration != iteration || saved.Data != data || Columns(batch).Any(c => reader.Entry(c.Name).Count != c.Column.Length)) problem = "belongs to other responses";
            }
            catch (Exception error) when (error is JsonException or BadModelException || FileErrors.IsFileError(error))
            {
                problem = $"is damaged ({error.Message.TrimEnd('.')})";
            }
        }

        if (problem is null) return saved;
        Log.Warning($"the checkpoint within iteration {iteration} {problem}; the iteration is trained again from its start.");
        return null;
    }

    // All of these come from float32 tensors: nothing is lost.
    private static IEnumerable<(string Name, double[] Column)> Columns(TrajectoryBatch batch)
    {
        yield return ("batch.old_logprobs", batch.OldLogProbs);
        yield return ("batch.old_entropies", batch.OldEntropies);
        yield return ("batch.old_values", batch.OldValues);
        if (batch.FullVocabularyKl.Length > 0) yield return ("batch.full_vocabulary_kl", batch.FullVocabularyKl);
    }

    private sealed record SavedPosition(int Iteration, string Data, int StepsBack, DescentPosition Position);
}

/// <summary>An iteration whose minibatches are done.</summary>
/// <param name="Batch">With the log-probs and values of the weights before it.</param>
/// <param name="At">After the last epoch.</param>
/// <param name="State">As it was before the iteration.</param>
public sealed record DescentEnd(TrajectoryBatch Batch, DescentPosition At, PolicyState State);
