using System.Collections.Concurrent;
using Microsoft.ML.OnnxRuntime;

namespace Rlhf.Scoring;

/// <summary>What a graph is asked about columns of some rows beside the tokens themselves.</summary>
internal interface IPartReader
{
    /// <summary>The output that is read.</summary>
    string Output { get; }

    /// <summary>Further inputs of a call; the graph disposes the values.</summary>
    IReadOnlyList<(string Name, OrtValue Value)> Inputs(in Part part);

    /// <summary>Takes the output of a call.</summary>
    void Take(in Part part, ReadOnlySpan<float> values);
}

/// <summary>Columns of some rows.</summary>
/// <param name="Rows">Which rows.</param>
/// <param name="IsCommon">True: the columns are the same in all rows and are computed as one.</param>
/// <param name="From">First column.</param>
/// <param name="Width">Number of columns.</param>
internal readonly record struct Part(int[] Rows, bool IsCommon, int From, int Width);

/// <summary>
/// A graph that goes on from a cache. What several rows have in common at their beginning is read once, and a row alone is read in parts, so that
/// attention computes less of the square that causality masks. (ONNX Runtime's attention goes on from a cache for one row at a time only; several rows
/// are read in one call, from their beginning to their end.) Several threads may read at once, each with a cache of its own.
/// </summary>
internal sealed class CachedGraph : IDisposable
{
    /// <summary>Most tokens of a row alone that are read at a time: fewer save more of the attention and lose more in smaller matrices.</summary>
    public const int PartTokens = 256;

    private readonly string _folder;
    private readonly InferenceSession _session;
    private readonly CacheShape _shape;
    private readonly RunOptions _run = new();
    private readonly ConcurrentBag<GraphCache> _caches = [];

    private CachedGraph(string folder, InferenceSession session, CacheShape shape) => (_folder, _session, _shape) = (folder, session, shape);

    /// <summary>Opens the graph; null where the folder, exported by an older version, has none.</summary>
    public static CachedGraph? Open(string folder, string file, int threads)
    {
        if (!File.Exists(Path.Combine(folder, file))) return null;
        InferenceSession session = OnnxSession.Open(folder, file, threads);
        if (CacheShape.Of(session) is { } shape) return new CachedGraph(folder, session, shape);
        session.Dispose();
        throw new Core.BadModelException($"{Path.Combine(folder, file)}: the graph has no cache inputs (past_key_values.0.key). Export the model again.");
    }

    /// <summary>Reads some rows.</summary>
    /// <param name="tokens">[rows] all tokens.</param>
    /// <param name="lengths">[rows] how many of them are read.</param>
    /// <param name="item">Which rows, and what they have in common.</param>
    /// <param name="reader">Takes what the graph gives.</param>
    /// <returns>Tokens computed, padding included.</returns>
    public long Read(IReadOnlyList<int[]> tokens, int[] lengths, WorkItem item, IPartReader reader)
    {
        int[] rows = item.Rows;
        int longest = rows.Max(r => lengths[r]);
        if (!_caches.TryTake(out GraphCache? cache)) cache = new GraphCache(_shape);
        long computed = 0;
        if (item.Shared == 0 && rows.Length > 1)
        {
            cache.Reset(rows.Length, longest);
            Call(tokens, lengths, new Part(rows, false, 0, longest), cache, reader);
            computed = (long)rows.Length * longest;
        }
        else
        {
            cache.Reset(1, longest);
            if (item.Shared > 0)
            {
                computed += Forward(tokens, lengths, rows, true, item.Shared, cache, reader);
                cache.Mark();
            }

            foreach (int row in rows)
            {
                if (item.Shared > 0) cache.Rewind();
                computed += Forward(tokens, lengths, [row], false, lengths[row], cache, reader);
            }
        }

        _caches.Add(cache);
        return computed;
    }

    /// <summary>Goes on to <paramref name="end"/> in equal parts.</summary>
    private int Forward(IReadOnlyList<int[]> tokens, int[] lengths, int[] rows, bool common, int end, GraphCache cache, IPartReader reader)
    {
        int start = cache.Tokens, parts = (end - start + PartTokens - 1) / PartTokens;
        for (int part = 0; part < parts; part++)
        {
            int from = start + (int)((long)(end - start) * part / parts), to = start + (int)((long)(end - start) * (part + 1) / parts);
            Call(tokens, lengths, new Part(rows, common, from, to - from), cache, reader);
        }

        return end - start;
    }

    private void Call(IReadOnlyList<int[]> tokens, int[] lengths, in Part part, GraphCache cache, IPartReader reader)
    {
        int rows = part.IsCommon ? 1 : part.Rows.Length, end = part.From + part.Width;
        long[] ids = new long[rows * part.Width];
        int[] ends = new int[rows];
        for (int i = 0; i < rows; i++)
        {
            int[] row = tokens[part.Rows[i]];
            ends[i] = Math.Min(lengths[part.Rows[i]], end);
            for (int t = part.From; t < ends[i]; t++) ids[(i * part.Width) + t - part.From] = row[t];
        }

        var values = new List<OrtValue>(); // all that is disposed
        try
        {
            List<string> names = ["input_ids", "lengths", "past_length"];
            values.Add(OrtValue.CreateTensorValueFromMemory(ids, [rows, part.Width]));
            values.Add(OrtValue.CreateTensorValueFromMemory(ends, [rows]));
            values.Add(OrtValue.CreateTensorValueFromMemory(new long[] { part.From }, [1]));
            foreach ((string name, OrtValue value) in reader.Inputs(part))
            {
                names.Add(name);
                values.Add(value);
            }

            names.AddRange(_shape.PastNames);
            int plain = values.Count;
            values.AddRange(cache.Past());
            List<OrtValue> inputs = [.. values], present = [.. cache.Present(inputs[plain..], part.Width)];
            values.AddRange(present.Skip(2 * _shape.Layers));
            using OrtIoBinding binding = _session.CreateIoBinding();
            for (int i = 0; i < inputs.Count; i++) binding.BindInput(names[i], inputs[i]);
            for (int i = 0; i < present.Count; i++) binding.BindOutput(_shape.PresentNames[i], present[i]);
            binding.BindOutputToDevice(reader.Output, OrtMemoryInfo.DefaultInstance);
            OnnxSession.Run(_folder, () => _session.RunWithBinding(_run, binding));
            cache.Advance(part.Width);
            using IDisposableReadOnlyCollection<OrtValue> outputs = binding.GetOutputValues();
            reader.Take(part, outputs[^1].GetTensorDataAsSpan<float>());
        }
        finally
        {
            foreach (OrtValue value in values) value.Dispose();
        }
    }

    public void Dispose()
    {
        _run.Dispose();
        _session.Dispose();
    }
}
