using Rlhf.Core;
using Rlhf.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization;

/// <summary>
/// The heads of ILQL on a policy's last hidden state: Q₁, Q₂ and V, each hidden → 2·hidden → ReLU → vocabulary (V: 1), and slow copies of the Q heads.
/// The output layers begin at 0, so every value does.
/// </summary>
public sealed class IlqlHeads : IDisposable
{
    public const string FileName = "ilql_heads.safetensors";

    private static readonly string[] QNames = ["q1", "q2"];

    private readonly ActionValueHead[] _online;
    private readonly ActionValueHead[] _slow;

    /// <param name="config">Of the policy.</param>
    /// <param name="seed">Of the first layers.</param>
    /// <param name="device">Null: the CPU.</param>
    public IlqlHeads(LlamaConfig config, ulong seed, Device? device = null)
    {
        Config = config;
        ParameterSpec[] q = [.. QNames.SelectMany(name => Head(name, config.HiddenSize, config.VocabSize))];
        Parameters = new ParameterStore([.. q, .. Head("v", config.HiddenSize, 1)], device);
        Slow = new ParameterStore(q, device, trainable: false);
        Initialisation.Fill(Parameters, config, seed);
        _online = [.. QNames.Select(n => new ActionValueHead(
            Parameters[Name(n, "down.weight")], Parameters[Name(n, "down.bias")], Parameters.GradientOf(Name(n, "down.weight")), Parameters.GradientOf(Name(n, "down.bias"))))];
        _slow = [.. QNames.Select(n => new ActionValueHead(Slow[Name(n, "down.weight")], Slow[Name(n, "down.bias")]))];
        Follow(1);
    }

    public LlamaConfig Config { get; }

    /// <summary>Trained weights: the Q heads first, then V.</summary>
    public ParameterStore Parameters { get; }

    /// <summary>Slow Q heads; the same places as in <see cref="Parameters"/>.</summary>
    public ParameterStore Slow { get; }

    /// <summary>[rows, hidden] to [rows, 2·hidden] of Q head 0 or 1, with autograd.</summary>
    public Tensor Features(int head, Tensor states) => Hidden(Parameters, QNames[head], states);

    /// <summary>The same of the slow copy.</summary>
    public Tensor SlowFeatures(int head, Tensor states) => Hidden(Slow, QNames[head], states);

    /// <summary>V [rows], with autograd.</summary>
    public Tensor Values(Tensor states) => Hidden(Parameters, "v", states).matmul(Parameters[Name("v", "down.weight")]).add(Parameters[Name("v", "down.bias")]).squeeze(-1);

    /// <summary>Output layer of Q head 0 or 1.</summary>
    public ActionValueHead Output(int head) => _online[head];

    /// <summary>The same of the slow copy.</summary>
    public ActionValueHead SlowOutput(int head) => _slow[head];

    /// <summary>min(Q₁, Q₂) of all tokens: [rows, hidden] to [rows, vocabulary]. For decoding, a few rows at a time.</summary>
    public Tensor Least(Tensor states, bool slow = false)
    {
        using IDisposable noGrad = no_grad();
        Tensor first = slow ? _slow[0].All(SlowFeatures(0, states)) : _online[0].All(Features(0, states));
        Tensor second = slow ? _slow[1].All(SlowFeatures(1, states)) : _online[1].All(Features(1, states));
        return first.minimum(second);
    }

    /// <summary>Slow copies: θ̄ ← (1 − α) θ̄ + α θ (Polyak).</summary>
    public void Follow(double rate)
    {
        using IDisposable noGrad = no_grad();
        using Tensor online = Parameters.Flat.narrow(0, 0, Slow.Flat.numel());
        if (rate == 1) Slow.Flat.copy_(online);
        else Slow.Flat.mul_(1 - rate).add_(online, rate);
    }

    /// <summary>Writes trained and slow heads beside the policy.</summary>
    public void Save(string folder) => SafetensorsWriter.Write(
        Path.Combine(folder, FileName), [.. Outputs(Parameters, ""), .. Outputs(Slow, "slow.")], SafetensorsType.F32);

    /// <summary>Reads the heads of a folder.</summary>
    /// <exception cref="BadModelException">Missing, damaged or of another shape.</exception>
    public void Load(string folder)
    {
        using SafetensorsReader reader = SafetensorsReader.Open(Path.Combine(folder, FileName));
        foreach ((ParameterStore store, string prefix) in new[] { (Parameters, ""), (Slow, "slow.") })
        {
            foreach (ParameterPlace place in store.Table) HostTensors.Fill(reader, prefix + place.Name, store[place.Name]);
        }
    }

    /// <summary>Parameter names of a head: name is q1, q2 or v.</summary>
    internal static string Name(string head, string part) => $"ilql.{head}.{part}";

    private static Tensor Hidden(ParameterStore store, string head, Tensor states) =>
        states.matmul(store[Name(head, "up.weight")]).add(store[Name(head, "up.bias")]).relu();

    private static IEnumerable<ParameterSpec> Head(string name, long hidden, long outputs) =>
    [
        Spec(Name(name, "up.weight"), ParameterStart.RewardHead, hidden, 2 * hidden), Spec(Name(name, "up.bias"), ParameterStart.Zero, 2 * hidden),
        Spec(Name(name, "down.weight"), ParameterStart.Zero, 2 * hidden, outputs), Spec(Name(name, "down.bias"), ParameterStart.Zero, outputs),
    ];

    private static ParameterSpec Spec(string name, ParameterStart start, params long[] shape) => new(name, shape, shape, false, start);

    private static IEnumerable<SafetensorsOutput> Outputs(ParameterStore store, string prefix) => store.Table.Select(place => new SafetensorsOutput(
        prefix + place.Name, place.Spec.Shape, destination => HostTensors.Read(store[place.Name], destination)));

    public void Dispose()
    {
        Parameters.Dispose();
        Slow.Dispose();
    }
}
