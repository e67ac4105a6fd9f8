using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Rlhf.Generation.Ort;

/// <summary>
/// One decoding step for the first n slots: a token a row in, logits [n, vocabulary] out. Everything is bound beforehand, per n, so a step
/// allocates nothing. The mask's row sums are the rows' lengths; it is a little wider than the longest row and grows in strides.
/// </summary>
internal sealed unsafe class DecodeBatch : IDisposable
{
    private const int MaskStride = 64;

    private readonly PolicyFolder _folder;
    private readonly InferenceSession _session;
    private readonly CacheSlots _cache;
    private readonly RunOptions _run = new();
    private readonly NativeBuffer<long> _ids;
    private readonly NativeBuffer<long> _mask;
    private readonly NativeBuffer<float> _logits;
    private readonly Bound?[] _bound; // by rows
    private readonly int[] _lengths; // mask ones in each row, as written
    private int _maskWidth;

    public DecodeBatch(PolicyFolder folder, InferenceSession session, CacheSlots cache, int rows)
    {
        (_folder, _session, _cache) = (folder, session, cache);
        _ids = new NativeBuffer<long>(rows);
        _mask = new NativeBuffer<long>((long)rows * cache.Capacity);
        _logits = new NativeBuffer<float>((long)rows * folder.VocabularySize);
        _bound = new Bound?[rows + 1];
        _lengths = new int[rows];
    }

    public long Bytes => _ids.Bytes + _mask.Bytes + _logits.Bytes;

    /// <summary>The logits of a row after <see cref="Run"/>.</summary>
    public Span<float> Logits(int row) => _logits.Span((long)row * _folder.VocabularySize, _folder.VocabularySize);

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
        Bound bound = _bound[rows] ??= new Bound(this, rows);
        _session.RunWithBinding(_run, bound.Binding);
    }

    public void Dispose()
    {
        Unbind();
        _run.Dispose();
        _ids.Dispose();
        _mask.Dispose();
        _logits.Dispose();
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
            OrtValue logits = OrtValue.CreateTensorValueWithData(cpu, TensorElementType.Float, [rows, 1, batch._folder.VocabularySize], batch._logits.Address, batch._logits.Bytes);
            OrtValue[] cache = batch._cache.View(0, rows);
            _values.AddRange([ids, mask, logits, .. cache]);
            Binding = PolicyBinding.Create(batch._session, batch._folder, ids, mask, logits, cache);
        }

        public OrtIoBinding Binding { get; }

        public void Dispose()
        {
            Binding.Dispose();
            _values.ForEach(value => value.Dispose());
        }
    }
}
