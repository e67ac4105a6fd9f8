using Microsoft.ML.OnnxRuntime;

namespace Rlhf.Export.Tests;

/// <summary>Runs model.onnx or rollout.onnx with one past/present buffer per layer, as GenAI does.</summary>
internal sealed class Decoder : IDisposable
{
    private readonly InferenceSession _session;
    private readonly ModelShape _shape;
    private readonly int _batch;
    private readonly int _capacity;
    private readonly bool _lastOnly;
    private readonly float[][] _cache;

    public Decoder(InferenceSession session, ModelShape shape, int batch, int capacity, bool lastOnly = false)
    {
        (_session, _shape, _batch, _capacity, _lastOnly) = (session, shape, batch, capacity, lastOnly);
        _cache = new float[2 * shape.Layers][];
        for (int i = 0; i < _cache.Length; i++) _cache[i] = new float[batch * shape.KeyValueHeads * capacity * shape.PaddedHeadSize];
    }

    public static InferenceSession Open(string path)
    {
        using SessionOptions options = new() { IntraOpNumThreads = 2, LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR };
        return new InferenceSession(path, options);
    }

    /// <param name="ids">[batch, sequence].</param>
    /// <param name="lengths">Real tokens of each row so far, these included.</param>
    /// <param name="total">Columns of the mask.</param>
    /// <returns>[batch, sequence or 1, vocabulary].</returns>
    public float[] Step(long[] ids, int[] lengths, int total)
    {
        int sequence = ids.Length / _batch, positions = _lastOnly ? 1 : sequence;
        long[] mask = new long[_batch * total];
        for (int b = 0; b < _batch; b++) mask.AsSpan(b * total, lengths[b]).Fill(1);
        float[] logits = new float[_batch * positions * _shape.VocabularySize];
        using OrtIoBinding binding = _session.CreateIoBinding();
        using RunOptions run = new();
        using OrtValue i = OrtValue.CreateTensorValueFromMemory(ids, [_batch, sequence]);
        using OrtValue m = OrtValue.CreateTensorValueFromMemory(mask, [_batch, total]);
        using OrtValue l = OrtValue.CreateTensorValueFromMemory(logits, [_batch, positions, _shape.VocabularySize]);
        binding.BindInput("input_ids", i);
        binding.BindInput("attention_mask", m);
        binding.BindOutput("logits", l);
        List<OrtValue> held = [];
        for (int c = 0; c < _cache.Length; c++)
        {
            OrtValue value = OrtValue.CreateTensorValueFromMemory(_cache[c], [_batch, _shape.KeyValueHeads, _capacity, _shape.PaddedHeadSize]);
            held.Add(value);
            string name = $".{c / 2}.{(c % 2 == 0 ? "key" : "value")}";
            binding.BindInput("past_key_values" + name, value);
            binding.BindOutput("present" + name, value);
        }

        _session.RunWithBinding(run, binding);
        held.ForEach(value => value.Dispose());
        return logits;
    }

    public void Dispose() => _session.Dispose();
}
