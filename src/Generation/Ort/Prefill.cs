using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Rlhf.Generation.Ort;

/// <summary>
/// Computes prompts into the staging slots behind the decoding ones and keeps the logits of their last tokens, from which every sample of
/// the prompt starts. Memory is bounded: prompts are taken together up to a number of tokens, and a longer prompt goes in pieces.
/// </summary>
internal sealed unsafe class Prefill : IDisposable
{
    private readonly OrtPolicy _policy;
    private readonly CacheSlots _cache;
    private readonly int _firstSlot;
    private readonly int _slots;
    private readonly int _tokens;
    private readonly RunOptions _run = new();
    private readonly IStepOutput _output;
    private readonly int _left; // tokens at a prompt's end that are not computed here
    private readonly int[] _last; // index of each row's last token among the call's columns

    public Prefill(OrtPolicy policy, CacheSlots cache, int firstSlot, int slots, int tokens)
    {
        (_policy, _cache, _firstSlot, _slots, _tokens) = (policy, cache, firstSlot, slots, tokens);
        _output = policy.Output(slots, Math.Max(slots, tokens));
        _last = new int[slots];
        _left = policy.Samples ? 1 : 0;
        (_output as SampledOutput)?.Set(1, greedy: true);
    }

    /// <summary>Tokens computed so far, padding included; for reports.</summary>
    public long ComputedTokens { get; private set; }

    /// <summary>Logits after the last token of the staged prompt.</summary>
    public Span<float> Logits(int staged) => ((LogitsOutput)_output)[staged];

    /// <summary>Whether another prompt fits into the call beside <paramref name="count"/> others, when the longest has so many tokens.</summary>
    public bool Fits(int count, int longest) => count < _slots && (count == 0 || (count + 1) * longest <= _tokens);

    /// <summary>Computes the prompts into the staging slots 0, 1, ….</summary>
    public void Run(IReadOnlyList<PreparedPrompt> prompts)
    {
        // A single token is computed beside padding, for the reason of DecodeBatch.FewestRows.
        int longest = Math.Max(prompts.Max(p => Length(p)), prompts.Count == 1 ? 2 : 1);
        if (prompts.Count == 1 && longest > _tokens)
        {
            for (int from = 0; from < longest; from += _tokens) Compute(prompts, from, Math.Min(_tokens, longest - from));
        }
        else
        {
            Compute(prompts, 0, longest);
        }
    }

    /// <summary>Tokens of a prompt that are computed here: all, or where the graph draws, all but the last, which each sample's first step then takes.</summary>
    private int Length(PreparedPrompt prompt) => Math.Max(1, prompt.Tokens.Length - _left);

    public void Dispose()
    {
        _run.Dispose();
        _output.Dispose();
    }

    /// <summary>Columns from … from + width of the right-padded prompts; from > 0 only for a prompt alone.</summary>
    private void Compute(IReadOnlyList<PreparedPrompt> prompts, int from, int width)
    {
        int rows = prompts.Count, total = from + width;
        using NativeBuffer<long> ids = new((long)rows * width), mask = new((long)rows * total);
        for (int row = 0; row < rows; row++)
        {
            int[] tokens = prompts[row].Tokens;
            int length = Math.Min(Length(prompts[row]), total);
            for (int i = from; i < length; i++) ids.Pointer[((long)row * width) + i - from] = tokens[i];
            mask.Span((long)row * total, length).Fill(1);
            _last[row] = length - 1 - from;
        }

        OrtMemoryInfo cpu = OrtMemoryInfo.DefaultInstance;
        using OrtValue idsValue = OrtValue.CreateTensorValueWithData(cpu, TensorElementType.Int64, [rows, width], ids.Address, ids.Bytes);
        using OrtValue maskValue = OrtValue.CreateTensorValueWithData(cpu, TensorElementType.Int64, [rows, total], mask.Address, mask.Bytes);
        OrtValue[] cache = _cache.View(_firstSlot, rows);
        IReadOnlyList<OrtValue> outputs = [];
        try
        {
            using OrtIoBinding binding = _policy.Bind(idsValue, maskValue, cache);
            outputs = _output.Bind(binding, rows, width);
            _policy.Session.RunWithBinding(_run, binding);
        }
        finally
        {
            foreach (OrtValue value in cache.Concat(outputs)) value.Dispose();
        }

        ComputedTokens += (long)rows * width;
        _output.Collect(rows, width, _last);
    }
}
