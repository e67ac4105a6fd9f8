using System.Text.Json;
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
    private readonly List<(string Name, OrtValue Value)> _weights = [];

    public Decoder(InferenceSession session, ModelShape shape, int batch, int capacity, bool lastOnly = false)
    {
        (_session, _shape, _batch, _capacity, _lastOnly) = (session, shape, batch, capacity, lastOnly);
        _cache = new float[2 * shape.Layers][];
        for (int i = 0; i < _cache.Length; i++) _cache[i] = new float[batch * shape.KeyValueHeads * capacity * shape.PaddedHeadSize];
    }

    /// <summary>A graph whose weights are inputs (rollout.onnx): they are read from the data file beside it as its metadata says.</summary>
    public Decoder(string path, ModelShape shape, int batch, int capacity) : this(Open(path), shape, batch, capacity, lastOnly: true)
    {
        byte[] data = File.ReadAllBytes(Path.Combine(Path.GetDirectoryName(path)!, "model.onnx.data"));
        using JsonDocument inputs = JsonDocument.Parse(_session.ModelMetadata.CustomMetadataMap["rlhf.weight_inputs"]);
        foreach (JsonElement input in inputs.RootElement.EnumerateArray())
        {
            long[] dimensions = [.. input.GetProperty("dimensions").EnumerateArray().Select(d => d.GetInt64())];
            float[] values = new float[dimensions.Aggregate(1L, (a, b) => a * b)];
            Buffer.BlockCopy(data, input.GetProperty("offset").GetInt32(), values, 0, values.Length * 4);
            if (input.GetProperty("turned").GetBoolean())
            {
                float[] turned = new float[values.Length];
                for (long i = 0; i < values.Length; i++) turned[(i % dimensions[1] * dimensions[0]) + (i / dimensions[1])] = values[i];
                (values, dimensions) = (turned, [dimensions[1], dimensions[0]]);
            }

            _weights.Add((input.GetProperty("name").GetString()!, OrtValue.CreateTensorValueFromMemory(values, dimensions)));
        }
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
        bool columns = _session.OutputMetadata["logits"].Dimensions[1] == _shape.VocabularySize; // rollout.onnx; one group up to 32 rows
        using OrtValue l = OrtValue.CreateTensorValueFromMemory(logits, columns ? [1, _shape.VocabularySize, _batch] : [_batch, positions, _shape.VocabularySize]);
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

        foreach ((string name, OrtValue value) in _weights) binding.BindInput(name, value);
        _session.RunWithBinding(run, binding);
        held.ForEach(value => value.Dispose());
        return columns ? [.. Enumerable.Range(0, logits.Length).Select(at => logits[(at % _shape.VocabularySize * _batch) + (at / _shape.VocabularySize)])] : logits;
    }

    public void Dispose()
    {
        _session.Dispose();
        _weights.ForEach(weight => weight.Value.Dispose());
    }
}
