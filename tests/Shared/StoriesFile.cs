using System.Buffers.Binary;
using System.Text.Json;

namespace Rlhf.Tests;

/// <summary>The weights of stories260K (see data/README.md), read by a reader of the tests' own: linear weights as [in, out], as the trainer keeps them.</summary>
internal static class StoriesFile
{
    /// <summary>Parameters by name; the test is skipped where the model is absent.</summary>
    public static Dictionary<string, float[]> Read()
    {
        byte[] file = File.ReadAllBytes(Path.Combine(Checkout.Shared("models/stories260K"), "model.safetensors"));
        int header = (int)BinaryPrimitives.ReadInt64LittleEndian(file);
        using JsonDocument json = JsonDocument.Parse(file.AsMemory(8, header));
        var parameters = new Dictionary<string, float[]>();
        foreach (JsonProperty tensor in json.RootElement.EnumerateObject().Where(p => p.Name != "__metadata__"))
        {
            int[] dimensions = [.. tensor.Value.GetProperty("shape").EnumerateArray().Select(d => d.GetInt32())];
            int[] range = [.. tensor.Value.GetProperty("data_offsets").EnumerateArray().Select(d => d.GetInt32())];
            float[] values = new float[(range[1] - range[0]) / 4];
            Buffer.BlockCopy(file, 8 + header + range[0], values, 0, values.Length * 4);
            parameters[tensor.Name] = tensor.Name.EndsWith("proj.weight", StringComparison.Ordinal) ? Transposed(values, dimensions[0], dimensions[1]) : values;
        }

        return parameters;
    }

    private static float[] Transposed(float[] from, int rows, int columns)
    {
        float[] to = new float[from.Length];
        for (int r = 0; r < rows; r++)
        {
            for (int c = 0; c < columns; c++) to[(c * rows) + r] = from[(r * columns) + c];
        }

        return to;
    }
}
