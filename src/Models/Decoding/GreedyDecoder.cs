using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Models;

/// <summary>The most likely token again and again, in torch: what the faster engines are held to.</summary>
public static class GreedyDecoder
{
    /// <summary>Continues one prompt until an EOS id (kept) or <paramref name="maxNewTokens"/>. Ties go to the lowest id.</summary>
    /// <param name="model">A language model.</param>
    /// <param name="prompt">At least one id.</param>
    /// <param name="maxNewTokens">At most this many are returned.</param>
    /// <param name="stopAtEos">False: EOS does not end the response.</param>
    /// <returns>The new ids without the prompt.</returns>
    public static int[] Decode(LlamaModel model, ReadOnlySpan<int> prompt, int maxNewTokens, bool stopAtEos = true)
    {
        using IDisposable noGrad = no_grad();
        using var cache = new KeyValueCache(model, 1, prompt.Length + maxNewTokens);
        long[] next = new long[prompt.Length];
        for (int i = 0; i < next.Length; i++) next[i] = prompt[i];
        List<int> response = [];
        while (response.Count < maxNewTokens)
        {
            int chosen = Next(model, next, cache);
            response.Add(chosen);
            if (stopAtEos && model.Config.EosTokenIds.Contains(chosen)) break;
            next = [chosen];
        }

        return [.. response];
    }

    private static int Next(LlamaModel model, long[] ids, KeyValueCache cache)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor hidden = model.Hidden(tensor(ids, [1, ids.Length]).to(model.Device), cache);
        Tensor logits = model.Logits(hidden.narrow(1, ids.Length - 1, 1)).reshape(-1).to(ScalarType.Float32, CPU);
        ReadOnlySpan<float> values = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(logits.contiguous().bytes);
        return System.Numerics.Tensors.TensorPrimitives.IndexOfMax(values);
    }
}
