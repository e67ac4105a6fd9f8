using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using NUnit.Framework;

namespace Rlhf.Export.Tests;

/// <summary>
/// Times that chose <see cref="GraphStyle.Default"/>. Not part of a test run: <c>dotnet test tests/Export.Tests -c Release --filter
/// Name~DecodeStep</c>. Variants are interleaved and the fastest of many steps is
/// reported in CPU time of one thread, so that other work on the machine disturbs little.
/// </summary>
[Explicit("measures, asserts nothing")]
public sealed partial class GraphMeasurements
{
    private const int ThreadCpuClock = 3;

    private static readonly ModelShape Large = new()
    {
        VocabularySize = 32000, HiddenSize = 288, IntermediateSize = 768, Layers = 6, Heads = 6, KeyValueHeads = 6, HeadSize = 48, MaxPositions = 1024, TiedHead = false,
    };

    private static readonly ModelShape Small = new()
    {
        VocabularySize = 4096, HiddenSize = 256, IntermediateSize = 704, Layers = 4, Heads = 8, KeyValueHeads = 4, HeadSize = 32, MaxPositions = 1024, TiedHead = true,
    };

    private static readonly (string Name, GraphStyle Style)[] Styles =
    [
        ("default", GraphStyle.Default),
        ("separate q, k, v", GraphStyle.Default with { FusedQkv = false }),
        ("fused gate and up", GraphStyle.Default with { FusedGateUp = true }),
        ("Sigmoid and Mul", GraphStyle.Default with { QuickGelu = false }),
        ("Transpose and MatMul head", GraphStyle.Default with { GemmHead = false }),
    ];

    [Test]
    public void DecodeStep([Values("24M", "24M tied", "4M")] string size)
    {
        const int threads = 1;
        ModelShape shape = size == "4M" ? Small : Large with { TiedHead = size == "24M tied" };
        using TestFolder folder = new();
        const int batch = 16, capacity = 160, past = 80;
        (string, Decoder)[] variants = [.. Styles.Select(s => (s.Name, new Decoder(Open(folder, shape, s.Style, threads, lastOnly: false), shape, batch, capacity)))];
        long[] ids = TinyModel.Tokens(batch, shape.VocabularySize);
        Report($"decode {size} batch {batch} ", variants.Select(v => (v.Item1, (Action)(() => v.Item2.Step(ids, [.. Enumerable.Repeat(past, batch)], past)))), 60);
        foreach ((_, Decoder decoder) in variants) decoder.Dispose();
    }

    [Test]
    public void Prefill([Values("24M", "4M")] string size)
    {
        ModelShape shape = size == "4M" ? Small : Large;
        using TestFolder folder = new();
        const int batch = 16, capacity = 160, sequence = 64;
        using Decoder all = new(Open(folder, shape, GraphStyle.Default, 1, lastOnly: false), shape, batch, capacity);
        using Decoder last = new(Open(folder, shape, GraphStyle.Default, 1, lastOnly: true), shape, batch, capacity, lastOnly: true);
        long[] ids = TinyModel.Tokens(batch * sequence, shape.VocabularySize);
        int[] lengths = [.. Enumerable.Repeat(sequence, batch)];
        Report($"prefill {size} 16 x 64", [("all positions", () => all.Step(ids, lengths, sequence)), ("last position", () => last.Step(ids, lengths, sequence))], 15);
    }

    [Test]
    public void ScorerChunks([Values("24M", "4M")] string size)
    {
        ModelShape shape = size == "4M" ? Small : Large;
        using TestFolder folder = new();
        WeightMap map = WeightMap.ForPolicy(shape);
        new DataLayout(map).Write(folder.In("model.onnx.data"), map, new AnyWeights(shape));
        const int batch = 4, sequence = 128;
        long[] ids = TinyModel.Tokens(batch * sequence, shape.VocabularySize);
        int[] lengths = [.. Enumerable.Repeat(sequence, batch)];
        long[] rows = [.. Enumerable.Range(0, batch * sequence).Where(i => i % sequence != sequence - 1).Select(i => (long)i)];
        long[] targets = [.. rows.Select(row => ids[row + 1])];
        List<(string, Action)> variants = [];
        List<InferenceSession> sessions = [];
        foreach ((int chunk, bool entropy) in (ReadOnlySpan<(int, bool)>)[(0, true), (64, true), (128, true), (256, true), (256, false)])
        {
            string file = folder.In($"scorer{chunk}{entropy}.onnx");
            File.WriteAllBytes(file, ScorerGraph.Build(map, GraphStyle.Default, chunk, entropy).ToModel(new DataLayout(map)));
            InferenceSession session = Open(file, 1);
            sessions.Add(session);
            string name = (chunk == 0 ? "at once" : $"chunks of {chunk}") + (entropy ? "" : ", no entropy");
            variants.Add((name, () => Score(session, ids, lengths, sequence, rows, targets)));
        }

        Report($"scorer {size} 4 x 128", variants, 4);
        sessions.ForEach(session => session.Dispose());
    }

    /// <summary>Growth of the resident set while 16 x 128 tokens are scored, session warm by a single row.</summary>
    [Test]
    public void ScorerMemory([Values(128, 256, 0)] int chunk)
    {
        using TestFolder folder = new();
        WeightMap map = WeightMap.ForPolicy(Large);
        new DataLayout(map).Write(folder.In("model.onnx.data"), map, new AnyWeights(Large));
        File.WriteAllBytes(folder.In("scorer.onnx"), ScorerGraph.Build(map, GraphStyle.Default, chunk).ToModel(new DataLayout(map)));
        using InferenceSession session = Open(folder.In("scorer.onnx"), 1);
        const int batch = 16, sequence = 128;
        long[] ids = TinyModel.Tokens(batch * sequence, Large.VocabularySize);
        long[] rows = [.. Enumerable.Range(0, batch * sequence).Where(i => i % sequence != sequence - 1).Select(i => (long)i)];
        Score(session, ids[..2], [2], 2, [0], [ids[1]]);
        double before = Status("VmRSS");
        File.WriteAllText("/proc/self/clear_refs", "5");
        Score(session, ids, [.. Enumerable.Repeat(sequence, batch)], sequence, rows, [.. rows.Select(row => ids[row + 1])]);
        TestContext.Progress.WriteLine($"scorer 24M 16 x 128, {(chunk == 0 ? "at once" : $"chunks of {chunk}")}: peak +{Status("VmHWM") - before:F0} MiB");

        static double Status(string key) => File.ReadLines("/proc/self/status").Where(line => line.StartsWith(key, StringComparison.Ordinal))
            .Select(line => double.Parse(line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1], System.Globalization.CultureInfo.InvariantCulture) / 1024).Single();
    }

    [Test]
    public void RewardSequence([Values(128, 512, 1024)] int sequence)
    {
        using TestFolder folder = new();
        WeightMap map = WeightMap.ForReward(Small);
        new DataLayout(map).Write(folder.In("model.onnx.data"), map, new AnyWeights(Small));
        int batch = 4096 / sequence;
        long[] ids = TinyModel.Tokens(batch * sequence, Small.VocabularySize);
        int[] lengths = [.. Enumerable.Repeat(sequence, batch)];
        List<(string, Action)> variants = [];
        List<InferenceSession> sessions = [];
        foreach (ScorePooling pooling in Enum.GetValues<ScorePooling>())
        {
            WeightMap pooled = WeightMap.ForReward(Small with { Pooling = pooling });
            string file = folder.In($"{pooling}.onnx");
            File.WriteAllBytes(file, RewardGraph.Build(pooled, GraphStyle.Default).ToModel(new DataLayout(pooled)));
            InferenceSession session = Open(file, 1);
            sessions.Add(session);
            variants.Add(($"{pooling}", () =>
            {
                using RunOptions run = new();
                using OrtValue i = OrtValue.CreateTensorValueFromMemory(ids, [batch, sequence]);
                using OrtValue l = OrtValue.CreateTensorValueFromMemory(lengths, [batch]);
                session.Run(run, ["input_ids", "lengths"], [i, l], ["scores"]).Dispose();
            }));
        }

        Report($"reward 4M {batch} x {sequence}", variants, 5);
        sessions.ForEach(session => session.Dispose());
    }

    private static void Score(InferenceSession session, long[] ids, int[] lengths, int sequence, long[] rows, long[] targets)
    {
        using RunOptions run = new();
        using OrtValue i = OrtValue.CreateTensorValueFromMemory(ids, [lengths.Length, sequence]);
        using OrtValue l = OrtValue.CreateTensorValueFromMemory(lengths, [lengths.Length]);
        using OrtValue r = OrtValue.CreateTensorValueFromMemory(rows, [rows.Length]);
        using OrtValue t = OrtValue.CreateTensorValueFromMemory(targets, [targets.Length]);
        using OrtValue temperature = OrtValue.CreateTensorValueFromMemory(new[] { 1f }, []);
        session.Run(run, ["input_ids", "lengths", "rows", "targets", "temperature"], [i, l, r, t, temperature], ["logprobs"]).Dispose();
    }

    private static InferenceSession Open(TestFolder folder, ModelShape shape, GraphStyle style, int threads, bool lastOnly)
    {
        string at = Directory.CreateDirectory(folder.In(Guid.NewGuid().ToString("N"))).FullName;
        WeightMap map = WeightMap.ForPolicy(shape, style);
        new DataLayout(map).Write(Path.Combine(at, "model.onnx.data"), map, new AnyWeights(shape));
        string file = Path.Combine(at, "model.onnx");
        File.WriteAllBytes(file, PolicyGraph.Build(map, style, lastOnly, hiddenOutputs: false).ToModel(new DataLayout(map)));
        return Open(file, threads);
    }

    private static InferenceSession Open(string file, int threads)
    {
        using SessionOptions options = new() { IntraOpNumThreads = threads };
        return new InferenceSession(file, options);
    }

    private static void Report(string what, IEnumerable<(string Name, Action Work)> variants, int rounds)
    {
        (string Name, Action Work)[] all = [.. variants];
        double[] best = new double[all.Length];
        Array.Fill(best, double.MaxValue);
        foreach ((_, Action work) in all) work();
        for (int round = 0; round < rounds; round++)
        {
            for (int i = 0; i < all.Length; i++)
            {
                double start = ThreadMilliseconds();
                all[i].Work();
                best[i] = Math.Min(best[i], ThreadMilliseconds() - start);
            }
        }

        TestContext.Progress.WriteLine($"{what}: " + string.Join("; ", all.Select((v, i) => $"{v.Name} {best[i]:F2} ms")));
    }

    private static double ThreadMilliseconds()
    {
        _ = ClockGetTime(ThreadCpuClock, out TimeSpec time);
        return (time.Seconds * 1e3) + (time.Nanoseconds * 1e-6);
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int ClockGetTime(int clock, out TimeSpec time);

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public nint Seconds;
        public nint Nanoseconds;
    }

    /// <summary>Small numbers that cost nothing to make: only the time of the arithmetic matters here.</summary>
    private sealed class AnyWeights(ModelShape shape) : IModelWeights
    {
        private static readonly float[] Numbers = [.. Enumerable.Range(0, 16_000_000).Select(i => ((i * 2654435761u >> 16) % 1000 * 4e-5f) - 0.02f)];

        public ModelShape Shape { get; } = shape;

        public ReadOnlySpan<float> Get(string name) => Numbers.AsSpan(0, Shape switch
        {
            _ when name.Contains("norm", StringComparison.Ordinal) => Shape.HiddenSize,
            _ when name.Contains("embed", StringComparison.Ordinal) || name.StartsWith("lm_head", StringComparison.Ordinal) => Shape.VocabularySize * Shape.HiddenSize,
            _ when name.Contains("mlp", StringComparison.Ordinal) => Shape.IntermediateSize * Shape.HiddenSize,
            _ when name.Contains("k_proj", StringComparison.Ordinal) || name.Contains("v_proj", StringComparison.Ordinal) => Shape.KeyValueHeads * Shape.HeadSize * Shape.HiddenSize,
            _ when name.StartsWith("score", StringComparison.Ordinal) => Shape.HiddenSize,
            _ => Shape.Heads * Shape.HeadSize * Shape.HiddenSize,
        });
    }
}
