using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Rlhf.Generation.Ort;

/// <summary>
/// One decoding step for the first n slots: a token a row in, logits of each row (or a token drawn from them) out. Everything is bound beforehand, per n, so a step
/// allocates nothing. The mask's row sums are the rows' lengths; it is a little wider than the longest row and grows in strides.
/// </summary>
internal sealed unsafe class DecodeBatch : IDisposable
{
    /// <summary>
    /// A row alone is computed beside a dummy in the slot behind it: for a single column ONNX Runtime takes another kernel, which rounds differently,
    /// and a response should not depend on what was drawn beside it.
    /// </summary>
    public const int FewestRows = 2;

    private const int MaskStride = 64;

    private readonly OrtPolicy _policy;
    private readonly CacheSlots _cache;
    private readonly RunOptions _run = new();
    private readonly NativeBuffer<long> _ids;
    private readonly NativeBuffer<long> _mask;
    private readonly IStepOutput _output;
    private readonly Bound?[] _bound; // by rows
    private readonly int[] _lengths; // mask ones in each row, as written
    private int _maskWidth;

    public DecodeBatch(OrtPolicy policy, CacheSlots cache, int rows)
    {
        rows = Math.Max(rows, FewestRows);
        (_policy, _cache) = (policy, cache);
        _ids = new NativeBuffer<long>(rows);
        _mask = new NativeBuffer<long>((long)rows * cache.Capacity);
        _output = policy.Output(rows, rows);
        _bound = new Bound?[rows + 1];
        _lengths = new int[rows];
    }

    /// <summary>The logits of a row after <see cref="Run"/>.</summary>
    public Span<float> Logits(int row) => ((LogitsOutput)_output)[row];

    /// <summary>Where the graph draws: what it is given and gives for that; null where it gives logits.</summary>
    public SampledOutput? Sampled => _output as SampledOutput;

    /// <summary>Sets a row's input: its last token, and how many tokens the cache will hold after the step.</summary>
    public void Set(int row, int token, int length)
    {
        _ids.Pointer[row] = token;
        if (length > _maskWidth) Widen(length);
        int written = _lengths[row];
        long* mask = _mask.Pointer + ((long)row * _maskWidth);
        for (int i = written; i < length; i++) mask[i] = 1;
        for (int i = length; i < written; i++) mask[i] = 0;
        _lengths[row] = length;
    }

    /// <summary>Computes the step of the first <paramref name="rows"/> rows.</summary>
    public void Run(int rows)
    {
        if (rows < FewestRows) Set(FewestRows - 1, 0, 1);
        rows = Math.Max(rows, FewestRows);
        Bound bound = _bound[rows] ??= new Bound(this, rows);
        _policy.Session.RunWithBinding(_run, bound.Binding);
        _output.Collect(rows, 1, []);
    }

    public void Dispose()
    {
        Unbind();
        _run.Dispose();
        _ids.Dispose();
        _mask.Dispose();
        _output.Dispose();
    }

    private void Widen(int length)
    {
        _maskWidth = Math.Min(_cache.Capacity, (length + MaskStride - 1) / MaskStride * MaskStride);
        new Span<long>(_mask.Pointer, checked(_lengths.Length * _maskWidth)).Clear();
        for (int row = 0; row < _lengths.Length; row++) new Span<long>(_mask.Pointer + ((long)row * _maskWidth), _lengths[row]).Fill(1);
        Unbind();
    }

    private void Unbind()
    {
        foreach (Bound? bound in _bound) bound?.Dispose();
        Array.Clear(_bound);
    }

    private sealed class Bound : IDisposable
    {
        private readonly List<OrtValue> _values = [];

        public Bound(DecodeBatch batch, int rows)
        {
            OrtMemoryInfo cpu = OrtMemoryInfo.DefaultInstance;
            OrtValue ids = OrtValue.CreateTensorValueWithData(cpu, TensorElementType.Int64, [rows, 1], batch._ids.Address, batch._ids.Bytes);
            OrtValue mask = OrtValue.CreateTensorValueWithData(cpu, TensorElementType.Int64, [rows, batch._maskWidth], batch._mask.Address, batch._mask.Bytes);
            OrtValue[] cache = batch._cache.View(0, rows);
            Binding = batch._policy.Bind(ids, mask, cache);
            _values.AddRange([ids, mask, .. cache, .. batch._output.Bind(Binding, rows, 1)]);
        }

        public OrtIoBinding Binding { get; }

        public void Dispose()
        {
            Binding.Dispose();
            _values.ForEach(value => value.Dispose());
        }
    }
}
