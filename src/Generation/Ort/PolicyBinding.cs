using System.Globalization;
using Microsoft.ML.OnnxRuntime;

namespace Rlhf.Generation.Ort;

/// <summary>Binds tensors to the inputs and outputs of a policy graph by the names in its folder.</summary>
internal static class PolicyBinding
{
    /// <param name="session">The policy.</param>
    /// <param name="folder">Names.</param>
    /// <param name="ids">int64 [batch, sequence].</param>
    /// <param name="mask">int64 [batch, total], ones first.</param>
    /// <param name="logits">float32 [batch, 1 or sequence, vocabulary].</param>
    /// <param name="cache">Key and value by layer, past and present at once.</param>
    public static OrtIoBinding Create(InferenceSession session, PolicyFolder folder, OrtValue ids, OrtValue mask, OrtValue logits, OrtValue[] cache)
    {
        OrtIoBinding binding = session.CreateIoBinding();
        binding.BindInput(folder.InputIds, ids);
        binding.BindInput(folder.AttentionMask, mask);
        binding.BindOutput(folder.Logits, logits);
        for (int i = 0; i < cache.Length; i++)
        {
            string layer = (i / 2).ToString(CultureInfo.InvariantCulture);
            bool key = i % 2 == 0;
            binding.BindInput((key ? folder.PastKey : folder.PastValue).Replace("%d", layer, StringComparison.Ordinal), cache[i]);
            binding.BindOutput((key ? folder.PresentKey : folder.PresentValue).Replace("%d", layer, StringComparison.Ordinal), cache[i]);
        }

        return binding;
    }
}
