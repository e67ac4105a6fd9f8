using System.Text.Json;
using Microsoft.ML.OnnxRuntime;

namespace Rlhf.Generation.Tests;

/// <summary>Log-probabilities by one pass of the deployed graph over a whole sequence, without any of the engine's code.</summary>
internal static class WholeSequence
{
    public static int[] ReferenceIds()
    {
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(Path.Combine(Checkout.Shared("models/stories260K"), "reference.json")));
        return [.. json.RootElement.GetProperty("greedy_ids").EnumerateArray().Select(e => e.GetInt32())];
    }

    /// <summary>[position][token], nats at the temperature.</summary>
    public static double[][] Logprobs(PolicyFolder folder, int[] tokens, double temperature)
    {
        using SessionOptions options = new() { IntraOpNumThreads = 1, LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR };
        using InferenceSession session = new(folder.Graph, options);
        using RunOptions run = new();
        int n = tokens.Length;
        List<string> names = [folder.InputIds, folder.AttentionMask];
        List<OrtValue> values = [OrtValue.CreateTensorValueFromMemory(Array.ConvertAll(tokens, t => (long)t), [1, n]), OrtValue.CreateTensorValueFromMemory(Enumerable.Repeat(1L, n).ToArray(), [1, n])];
        for (int layer = 0; layer < folder.Layers; layer++)
        {
            foreach (string name in (string[])[folder.PastKey, folder.PastValue])
            {
                names.Add(name.Replace("%d", $"{layer}", StringComparison.Ordinal));
                values.Add(OrtValue.CreateTensorValueFromMemory(Array.Empty<float>(), [1, folder.KeyValueHeads, 0, folder.HeadSize]));
            }
        }

        using IDisposableReadOnlyCollection<OrtValue> outputs = session.Run(run, names, values, [folder.Logits]);
        values.ForEach(value => value.Dispose());
        ReadOnlySpan<float> logits = outputs[0].GetTensorDataAsSpan<float>();
        double[][] logprobs = new double[n][];
        for (int position = 0; position < n; position++)
        {
            double[] x = new double[folder.VocabularySize];
            for (int i = 0; i < x.Length; i++) x[i] = logits[(position * x.Length) + i] / temperature;
            double max = x.Max(), logSum = Math.Log(x.Sum(v => Math.Exp(v - max)));
            logprobs[position] = [.. x.Select(v => v - max - logSum)];
        }

        return logprobs;
    }
}
