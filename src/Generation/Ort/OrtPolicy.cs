using System.Globalization;
using Microsoft.ML.OnnxRuntime;

namespace Rlhf.Generation.Ort;

/// <summary>An open policy graph and, where it takes them as inputs, its weights.</summary>
/// <param name="Folder">Names of its inputs and outputs.</param>
/// <param name="Session">ONNX Runtime's session.</param>
/// <param name="Weights">Null where the weights are inside the graph.</param>
/// <param name="Memory">Where weights and cache lie.</param>
internal sealed record OrtPolicy(PolicyFolder Folder, InferenceSession Session, WeightInputs? Weights, DeviceMemory Memory) : IDisposable
{
    /// <summary>True: the graph draws tokens itself, and gives no logits.</summary>
    public bool Samples { get; } = Session.OutputMetadata.ContainsKey("tokens");

    /// <summary>Memory for what the graph gives for so many rows and, all rows together, so many positions.</summary>
    public IStepOutput Output(int rows, int positions) => Samples ? new SampledOutput(rows) : new LogitsOutput(this, rows, positions);

    /// <summary>Binds everything but the output.</summary>
    /// <param name="ids">int64 [batch, sequence].</param>
    /// <param name="mask">int64 [batch, total], ones first.</param>
    /// <param name="cache">Key and value by layer, past and present at once.</param>
    public OrtIoBinding Bind(OrtValue ids, OrtValue mask, OrtValue[] cache)
    {
        OrtIoBinding binding = Session.CreateIoBinding();
        binding.BindInput(Folder.InputIds, ids);
        binding.BindInput(Folder.AttentionMask, mask);
        for (int i = 0; i < cache.Length; i++)
        {
            string layer = (i / 2).ToString(CultureInfo.InvariantCulture);
            bool key = i % 2 == 0;
            binding.BindInput((key ? Folder.PastKey : Folder.PastValue).Replace("%d", layer, StringComparison.Ordinal), cache[i]);
            binding.BindOutput((key ? Folder.PresentKey : Folder.PresentValue).Replace("%d", layer, StringComparison.Ordinal), cache[i]);
        }

        Weights?.Bind(binding);
        return binding;
    }

    public void Dispose()
    {
        Session.Dispose();
        Weights?.Dispose();
    }
}
