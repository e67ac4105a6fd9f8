using Microsoft.ML.OnnxRuntime;
using Rlhf.Core;

namespace Rlhf.Export;

/// <summary>Runs a policy graph on one row of tokens from an empty cache.</summary>
internal sealed class ProbeSession : IDisposable
{
    private readonly InferenceSession _session;
    private readonly ModelShape _shape;

    private ProbeSession(InferenceSession session, ModelShape shape) => (_session, _shape) = (session, shape);

    public static ProbeSession Open(string file, SessionOptions options, ModelShape shape) =>
        Guard(file, () => new ProbeSession(new InferenceSession(file, options), shape));

    /// <summary>A graph in memory whose weights lie in <paramref name="folder"/>.</summary>
    public static ProbeSession Open(byte[] model, string folder, SessionOptions options, ModelShape shape)
    {
        options.AddSessionConfigEntry("session.model_external_initializers_file_folder_path", Path.GetFullPath(folder));
        return Guard(folder, () => new ProbeSession(new InferenceSession(model, options), shape));
    }

    /// <summary>The named outputs, each flat.</summary>
    public List<float[]> Run(long[] tokens, string[] outputs) => Guard("the probe", () =>
    {
        using RunOptions run = new();
        using OrtValue ids = OrtValue.CreateTensorValueFromMemory(tokens, [1, tokens.Length]);
        long[] ones = new long[tokens.Length];
        Array.Fill(ones, 1);
        using OrtValue mask = OrtValue.CreateTensorValueFromMemory(ones, [1, tokens.Length]);
        List<string> names = ["input_ids", "attention_mask"];
        List<OrtValue> values = [ids, mask];
        List<OrtValue> caches = [];
        for (int layer = 0; layer < _shape.Layers; layer++)
        {
            foreach (string part in (string[])["key", "value"])
            {
                OrtValue empty = OrtValue.CreateTensorValueFromMemory(Array.Empty<float>(), [1, _shape.KeyValueHeads, 0, _shape.PaddedHeadSize]);
                caches.Add(empty);
                names.Add($"past_key_values.{layer}.{part}");
                values.Add(empty);
            }
        }

        using IDisposableReadOnlyCollection<OrtValue> results = _session.Run(run, names, values, outputs);
        List<float[]> copies = [.. results.Select(result => result.GetTensorDataAsSpan<float>().ToArray())];
        caches.ForEach(cache => cache.Dispose());
        return copies;
    });

    public void Dispose() => _session.Dispose();

    private static T Guard<T>(string what, Func<T> work)
    {
        try
        {
            return work();
        }
        catch (OnnxRuntimeException e)
        {
            throw new EngineException($"{what}: ONNX Runtime refused it: {e.Message}", e);
        }
    }
}
