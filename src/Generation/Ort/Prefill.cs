using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Rlhf.Generation.Ort;

/// <summary>
/// Computes prompts into the staging slots behind the decoding ones and keeps the logits of their last tokens, from which every sample of
/// the prompt starts. Memory is bounded: prompts are taken together up to a number of tokens, and a longer prompt goes in pieces.
/// </summary>
internal sealed unsafe class Prefill : IDisposable
{
    private readonly PolicyFolder _folder;
    private readonly InferenceSession _session;
    private readonly CacheSlots _cache;
    private readonly int _firstSlot;
    private readonly int _slots;
    private readonly int _tokens;
    private readonly bool _lastOnly;
    private readonly RunOptions _run = new();
    private readonly NativeBuffer<float> _logits; // [staging slots, vocabulary]

    public Prefill(PolicyFolder folder, InferenceSession session, CacheSlots cache, int firstSlot, int slots, int tokens)
    {
        (_folder, _session, _cache, _firstSlot, _slots, _tokens) = (folder, session, cache, firstSlot, slots, tokens);
        _lastOnly = session.OutputMetadata[folder.Logits].Dimensions[1] == 1;
        _logits = new NativeBuffer<float>((long)slots * folder.VocabularySize);
    }

    /// <summary>Tokens computed so far, padding included; for reports.</summary>
    public long ComputedTokens { get; private set; }

    public long Bytes => _logits.Bytes;

    /// <summary>Logits after the last token of the staged prompt.</summary>
    public Span<float> Logits(int staged) => _logits.Span((long)staged * _folder.VocabularySize, _folder.VocabularySize);

    /// <summary>Whether another prompt fits into the call beside <paramref name="count"/> others, when the longest has so many tokens.</summary>
    public bool Fits(int count, int longest) => count < _slots && (count == 0 || (count + 1) * longest <= _tokens);

    /// <summary>Computes the prompts into the staging slots 0, 1, ….</summary>
    public void Run(IReadOnlyList<PreparedPrompt> prompts)
    {
        int longest = prompts.Max(p => p.Tokens.Length);
        if (prompts.Count == 1 && longest > _tokens)
        {
            for (int from = 0; from < longest; from += _tokens) Compute(prompts, from, Math.Min(_tokens, longest - from));
        }
        else
        {
            Compute(prompts, 0, longest);
        }
    }

    public void Dispose()
    {
        _run.Dispose();
        _logits.Dispose();
    }

    /// <summary>Columns from … from + width of the right-padded prompts; from > 0 only for a prompt alone.</summary>
    private void Compute(IReadOnlyList<PreparedPrompt> prompts, int from, int width)
    {
        int rows = prompts.Count, total = from + width;
        using NativeBuffer<long> ids = new((long)rows * width), mask = new((long)rows * total);
        for (int row = 0; row < rows; row++)
        {
            int[] tokens = prompts[row].Tokens;
            int length = Math.Min(tokens.Length, total);
            for (int i = from; i < length; i++) ids.Pointer[((long)row * width) + i - from] = tokens[i];
            mask.Span((long)row * total, length).Fill(1);
        }

        using NativeBuffer<float>? every = _lastOnly ? null : new((long)rows * width * _folder.VocabularySize);
        OrtMemoryInfo cpu = OrtMemoryInfo.DefaultInstance;
        using OrtValue idsValue = OrtValue.CreateTensorValueWithData(cpu, TensorElementType.Int64, [rows, width], ids.Address, ids.Bytes);
        using OrtValue maskValue = OrtValue.CreateTensorValueWithData(cpu, TensorElementType.Int64, [rows, total], mask.Address, mask.Bytes);
        using OrtValue logits = every is null
            ? OrtValue.CreateTensorValueWithData(cpu, TensorElementType.Float, [rows, 1, _folder.VocabularySize], _logits.Address, _logits.Bytes)
            : OrtValue.CreateTensorValueWithData(cpu, TensorElementType.Float, [rows, width, _folder.VocabularySize], every.Address, every.Bytes);
        OrtValue[] cache = _cache.View(_firstSlot, rows);
        try
        {
            using OrtIoBinding binding = PolicyBinding.Create(_session, _folder, idsValue, maskValue, logits, cache);
            _session.RunWithBinding(_run, binding);
        }
        finally
        {
            foreach (OrtValue value in cache) value.Dispose();
        }

        ComputedTokens += (long)rows * width;
        if (every is null) return;
        for (int row = 0; row < rows; row++)
        {
            int last = Math.Min(prompts[row].Tokens.Length, total) - 1 - from;
            every.Span((((long)row * width) + last) * _folder.VocabularySize, _folder.VocabularySize).CopyTo(Logits(row));
        }
    }
}
