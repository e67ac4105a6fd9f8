using Rlhf.Core;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Models;

/// <summary>First values of a model. Every number has an address (seed, parameter name, index): the same in any order and on any device.</summary>
public static class Initialisation
{
    private const double Deviation = 0.02;
    private const int Block = 1 << 14;

    /// <summary>Fills every parameter for which <paramref name="choose"/> is true (null: all).</summary>
    public static void Fill(ParameterStore store, LlamaConfig config, ulong seed, Func<string, bool>? choose = null)
    {
        using IDisposable noGrad = no_grad();
        foreach (ParameterPlace place in store.Table)
        {
            if (choose is not null && !choose(place.Name)) continue;
            Tensor target = store[place.Name];
            switch (place.Spec.Start)
            {
                case ParameterStart.Zero:
                    target.zero_();
                    break;
                case ParameterStart.One:
                    target.fill_(1);
                    break;
                default:
                    float[] values = Normal(place, DeviationOf(place.Spec.Start, config), seed);
                    using (Tensor source = tensor(values, [.. place.Spec.Shape])) target.copy_(source);
                    break;
            }
        }
    }

    private static double DeviationOf(ParameterStart start, LlamaConfig config) => start switch
    {
        ParameterStart.Residual => Deviation / Math.Sqrt(2.0 * config.NumHiddenLayers),
        ParameterStart.RewardHead => 1 / Math.Sqrt(config.HiddenSize + 1.0),
        _ => Deviation,
    };

    private static float[] Normal(ParameterPlace place, double deviation, ulong seed)
    {
        float[] values = new float[place.Count];
        ulong key = seed ^ AddressedRandom.Key(place.Name);
        Parallel.For(0, (values.Length + Block - 1) / Block, block =>
        {
            int end = Math.Min(values.Length, (block + 1) * Block);
            for (int i = block * Block; i < end; i++)
                values[i] = (float)(deviation * AddressedRandom.Normal(key, AddressedRandom.Stream.Initialisation, (uint)block, 0, (uint)(i - (block * Block))));
        });
        return values;
    }
}
