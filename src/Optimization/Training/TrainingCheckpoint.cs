using System.Text.Json;
using System.Text.Json.Serialization;
using Rlhf.Core;
using Rlhf.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization;

/// <summary>How far a training is; what <see cref="TrainingLoop"/> itself must know to go on.</summary>
/// <param name="Done">Optimiser steps taken.</param>
/// <param name="Loss">The smoothed loss.</param>
/// <param name="Tokens">Tokens trained on.</param>
/// <param name="StepSeconds">Time spent in steps.</param>
/// <param name="Minutes">Time of the whole training.</param>
public sealed record TrainingPosition(long Done, double Loss, long Tokens, double StepSeconds, double Minutes);

/// <summary>
/// What a stopped training goes on from, as NAME.checkpoint/STEP/ in its output folder: every tracked tensor and number exactly, the position, and the
/// configuration and inputs that it belongs to. Written beside and renamed; with checksums. The newest and the one before stay; all go when the training is done.
/// </summary>
public sealed class TrainingCheckpoint
{
    private const string Weights = "weights.safetensors", StateFile = "state.json", ConfigFile = "config.yaml", StepFormat = "000000";

    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals };

    private readonly SortedDictionary<string, Tensor> _tensors = new(StringComparer.Ordinal);
    private readonly List<(string Name, AdamW Optimizer)> _optimizers = [];
    private readonly SortedDictionary<string, (Func<double[]> Get, Action<double[]> Set)> _numbers = new(StringComparer.Ordinal);
    private readonly string _config;
    private readonly SortedDictionary<string, string> _inputs;
    private readonly Func<string, IReadOnlyList<ConfigDifference>> _differences;

    private TrainingCheckpoint(string folder, string config, double minutesBetween, SortedDictionary<string, string> inputs, Func<string, IReadOnlyList<ConfigDifference>> differences) =>
        (Folder, _config, MinutesBetween, _inputs, _differences) = (folder, config, minutesBetween, inputs, differences);

    /// <summary>Where it lies.</summary>
    public string Folder { get; }

    /// <summary>Minutes between two of them; 0: only when the training is interrupted.</summary>
    public double MinutesBetween { get; }

    /// <summary>The checkpoint of a training.</summary>
    /// <param name="name">Of the training.</param>
    /// <param name="config">Its configuration.</param>
    /// <param name="inputs">Files, patterns and model folders that it reads; their bytes must be the same when it goes on.</param>
    public static TrainingCheckpoint Of<T>(string name, T config, IEnumerable<string> inputs)
        where T : TrainingConfig
    {
        string folder = FolderOf(name, config.Output);
        return new TrainingCheckpoint(folder, ConfigWriter.ToYaml(config), config.CheckpointMinutes, TrainingInputs.Hashes(inputs), checkpoint =>
        {
            T stored = ConfigBinder.Load<T>(Path.Combine(checkpoint, ConfigFile));
            return [.. ConfigDifference.Between(stored, config).Where(d => !d.IsSafeToChange)];
        });
    }

    /// <summary>Makes the next training of this name and output begin anew.</summary>
    /// <exception cref="BadDataException">One is at work there.</exception>
    public static void Forget(string name, string output)
    {
        if (!Directory.Exists(FolderOf(name, output))) return;
        using RunLock one = TrainingLoop.Lock(output);
        WholeFolder.Remove(FolderOf(name, output));
    }

    /// <summary>Adds weights and the moments of their optimiser.</summary>
    public void Track(string name, Tensor weights, AdamW optimizer)
    {
        Track(name, weights);
        Track($"{name}.first_moment", optimizer.FirstMoment);
        Track($"{name}.second_moment", optimizer.SecondMoment);
        _optimizers.Add((name, optimizer));
    }

    /// <summary>Adds a float32 tensor, which is filled in place.</summary>
    public void Track(string name, Tensor tensor) => _tensors.Add(name, tensor);

    /// <summary>Adds numbers.</summary>
    public void Track(string name, Func<double[]> get, Action<double[]> set) => _numbers.Add(name, (get, set));

    /// <summary>Writes a checkpoint; of the older ones the newest stays.</summary>
    /// <exception cref="BadDataException">It cannot be written.</exception>
    public void Write(TrainingPosition position)
    {
        using (var whole = new WholeFolder(At(position.Done)))
        {
            string hash = SafetensorsWriter.WriteHashed(whole.FilePath(Weights), _tensors.Select(t => SafetensorsOutput.InParts(t.Key, t.Value.numel(), (first, span) => HostTensors.Read(t.Value, span, first))), SafetensorsType.F32);
            var state = new State(
                position, new(_numbers.ToDictionary(n => n.Key, n => n.Value.Get()), StringComparer.Ordinal), new(_optimizers.ToDictionary(o => o.Name, o => o.Optimizer.Step), StringComparer.Ordinal), _inputs);
            WholeFile.WriteAllText(whole.FilePath(StateFile), JsonSerializer.Serialize(state, Json) + "\n");
            WholeFile.WriteAllText(whole.FilePath(ConfigFile), _config);
            FolderSeal.Write(whole.PartialPath, new Dictionary<string, string> { [Weights] = hash });
            whole.Complete();
        }

        foreach (int old in Steps().SkipLast(2)) WholeFolder.Remove(At(old));
    }

    /// <summary>Puts the newest whole checkpoint into everything that is tracked, and says which were damaged; null where the training was not begun.</summary>
    /// <exception cref="ConfigurationException">It belongs to another configuration.</exception>
    /// <exception cref="BadDataException">An input has changed since, or every checkpoint is damaged.</exception>
    public TrainingPosition? Read()
    {
        string? damage = null;
        foreach (int step in Steps().Reverse())
        {
            IReadOnlyList<string> broken = FolderSeal.Problems(At(step));
            string? problem = broken.Count > 0 ? broken[0] : null;
            if (problem is null && Read(At(step), out problem) is { } position) return position;
            damage ??= problem!.TrimEnd('.');
            Log.Warning($"the checkpoint after step {step} is damaged ({problem!.TrimEnd('.')}); going back to the one before.");
        }

        return damage is null
            ? null
            : throw new BadDataException($"{Folder}: no whole checkpoint is left: {damage}. Nothing was changed. Put the files back from a copy, or begin anew with --restart.");
    }

    private TrainingPosition? Read(string checkpoint, out string? problem)
    {
        if (_differences(checkpoint) is { Count: > 0 } differences)
        {
            throw new ConfigurationException(
                $"{Folder} holds a stopped training with another configuration ({string.Join("; ", differences.Take(5))}). Give the values that it began with to go on, choose another output, or begin anew with --restart.");
        }

        if (ReadState(checkpoint, out problem) is not { } state) return null;
        string[] changed = [.. _inputs.Where(i => state.Inputs.GetValueOrDefault(i.Key) != i.Value).Select(i => i.Key).Concat(state.Inputs.Keys.Where(k => !_inputs.ContainsKey(k)))];
        if (changed.Length > 0)
        {
            throw new BadDataException($"{Folder} holds a stopped training, and what it reads has changed since: {string.Join(", ", changed)}. Put the files back as they were, or begin anew with --restart.");
        }

        using (SafetensorsReader reader = SafetensorsReader.Open(Path.Combine(checkpoint, Weights)))
        {
            // All is looked at before the first tensor is filled: half a checkpoint is none.
            foreach ((string name, Tensor tensor) in _tensors)
            {
                if (!reader.Entries.TryGetValue(name, out SafetensorsEntry? entry) || entry.Count != tensor.numel() || entry.StoredType != "F32")
                {
                    problem = $"{Weights} has no such tensor {name}";
                    return null;
                }
            }

            foreach ((string name, Tensor tensor) in _tensors) HostTensors.Fill(reader, name, tensor);
        }

        foreach ((string name, AdamW optimizer) in _optimizers) optimizer.Step = state.Steps[name];
        foreach ((string name, (_, Action<double[]> set)) in _numbers) set(state.Numbers[name]);
        return state.Position;
    }

    /// <summary>The training is done: nothing is left to go on with.</summary>
    public void Remove() => WholeFolder.Remove(Folder);

    // What a writer of this program leaves, or null: a seal says that bytes are as they were, not who wrote them.
    private State? ReadState(string checkpoint, out string? problem)
    {
        try
        {
            State? state = JsonSerializer.Deserialize<State>(File.ReadAllText(Path.Combine(checkpoint, StateFile)), Json);
            bool isWhole = state is { Position.Done: >= 0, Numbers: not null, Steps: not null, Inputs: not null }
                && _optimizers.All(o => state.Steps.GetValueOrDefault(o.Name, -1) >= 0)
                && _numbers.All(n => state.Numbers.GetValueOrDefault(n.Key) is { } numbers && numbers.Length == n.Value.Get().Length);
            problem = isWhole ? null : $"{StateFile} is not that of this training";
            return isWhole ? state : null;
        }
        catch (Exception error) when (error is JsonException || FileErrors.IsFileError(error))
        {
            problem = error.Message;
            return null;
        }
    }

    private string At(long step) => NumberedFolders.At(Folder, step, StepFormat);

    // Of folders with final names: ascending.
    private IEnumerable<int> Steps() => NumberedFolders.Whole(Folder, StepFormat);

    private static string FolderOf(string name, string output) => Path.Combine(output, $"{name}.checkpoint");

    private sealed record State(TrainingPosition Position, SortedDictionary<string, double[]> Numbers, SortedDictionary<string, long> Steps, SortedDictionary<string, string> Inputs);
}
