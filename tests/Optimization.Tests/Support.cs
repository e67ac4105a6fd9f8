using System.Runtime.InteropServices;
using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization.Tests;

/// <summary>One thread: the models are tiny, and several test projects share the machine.</summary>
[SetUpFixture]
public sealed class OneThread
{
    [OneTimeSetUp]
    public void Set() => set_num_threads(1);
}

/// <summary>Small models and numbers to compare.</summary>
internal static class Tiny
{
    public const int Vocabulary = 37;

    public static LlamaConfig Config => new()
    {
        VocabSize = Vocabulary, HiddenSize = 16, IntermediateSize = 24, NumHiddenLayers = 2, NumAttentionHeads = 4, NumKeyValueHeads = 2, HeadDim = 4,
        MaxPositionEmbeddings = 64, TieWordEmbeddings = true, RopeTheta = 100, BosTokenId = 1, EosTokenIds = [2], Head = ModelHead.LanguageModelWithValue,
    };

    /// <summary>Weights large enough that distributions are far from flat; the value head is not zero.</summary>
    public static LlamaModel Model(LlamaConfig? config = null, ulong seed = 7, double scale = 8)
    {
        LlamaModel model = LlamaModel.Create(config ?? Config, seed);
        using IDisposable noGrad = no_grad();
        foreach (ParameterPlace place in model.Parameters.Table)
        {
            Tensor weight = model.Parameters[place.Name];
            if (place.Spec.Start is ParameterStart.Normal or ParameterStart.Residual) weight.mul_(scale);
            else if (place.Spec.Start == ParameterStart.Zero) weight.copy_(Waves(place.Count, 0.3).view(weight.shape));
        }

        return model;
    }

    /// <summary>count numbers between ±size that differ from one to the next.</summary>
    public static Tensor Waves(long count, double size, double step = 0.7) => arange(count, ScalarType.Float64).mul(step).sin().mul(size);

    public static double[] Doubles(Tensor tensor)
    {
        using Tensor host = tensor.detach().to(ScalarType.Float64).contiguous();
        return MemoryMarshal.Cast<byte, double>(host.bytes).ToArray();
    }

    public static double MaxDifference(Tensor a, Tensor b) => Doubles(a).Zip(Doubles(b), (x, y) => Math.Abs(x - y)).Max();

    /// <summary>Sequences of different lengths with addressed random tokens.</summary>
    public static TrainingSequence[] Sequences(int count, ulong seed = 3, int longest = 12) =>
    [
        .. Enumerable.Range(0, count).Select(i =>
        {
            int Draw(int below, uint c) => (int)(AddressedRandom.Uniform(seed, AddressedRandom.Stream.Data, (uint)i, c) * below);
            int prompt = 1 + Draw(4, 0), response = 2 + Draw(longest - 5, 1);
            int[] tokens = [.. Enumerable.Range(0, prompt + response).Select(t => 3 + Draw(Vocabulary - 3, (uint)(t + 2)))];
            return new TrainingSequence(tokens, prompt);
        }),
    ];
}
