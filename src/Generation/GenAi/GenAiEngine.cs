using System.Runtime.InteropServices;
using System.Text.Json;
using Microsoft.ML.OnnxRuntimeGenAI;
using Rlhf.Core;
using Rlhf.Generation.Sampling;

namespace Rlhf.Generation.GenAi;

/// <summary>
/// Rollouts through ONNX Runtime GenAI, the engine that deploys the policy. GenAI computes the logits; the token is drawn by our sampler
/// and forced, so that random addresses and log-probs are those of the other engine. Rows of one batch have prompts of equal length
/// (GenAI tells padding from text by the pad id), at most 32 of them, and stay until the last one ends.
/// </summary>
public sealed class GenAiEngine : IRolloutEngine
{
    /// <summary>GenAI's own limit.</summary>
    public const int LargestBatch = 32;

    private const int PromptWindow = 512;

    private readonly ITextCodec? _codec;
    private readonly bool _ownsCodec;
    private PolicyFolder _folder;
    private Model _model;
    private readonly int _threads;
    private Task<string> _hash, _settings;
    private bool _generating;

    /// <param name="folder">The exported policy.</param>
    /// <param name="codec">The policy's tokenizer; null when prompts come as tokens and no text is wanted.</param>
    /// <param name="ownsCodec">True: the codec is disposed with the engine.</param>
    /// <param name="threads">Threads of GenAI's session; 0: as its description says, or as GenAI chooses.</param>
    public GenAiEngine(PolicyFolder folder, ITextCodec? codec, bool ownsCodec = false, int threads = 0)
    {
        (_folder, _codec, _ownsCodec, _threads) = (folder, codec, ownsCodec, threads);
        _model = Open(folder, threads);
        (_hash, _settings) = Hashes(folder);
    }

    public string Name => "genai";

    public string PolicyHash => _hash.GetAwaiter().GetResult();

    public string SettingsHash => _settings.GetAwaiter().GetResult();

    public GenerationCounts Counts { get; private set; } = new();

    public IEnumerable<Rollout> Generate(IEnumerable<Prompt> prompts, SamplingOptions options, CancellationToken cancellation = default)
    {
        SamplingChecks.Check(options, _folder.VocabularySize);
        if (options.StopStrings.Count > 0 && _codec is null) throw new ConfigurationException("stop strings need the policy's tokenizer, and the engine was opened without one.");
        return Run(prompts, options, cancellation);
    }

    public bool TakesWeights => false;

    public void UpdateWeights(IReadOnlyList<WeightTensor> weights, Task<string> policyHash) =>
        throw new EngineException("ONNX Runtime GenAI takes weights from a folder only: export the policy and call Reopen, or use the engine 'ort'.");

    public void Reopen(PolicyFolder folder)
    {
        if (_generating) throw new InvalidOperationException("Weights cannot change while responses are being drawn; finish or leave the enumeration first.");
        Model model = Open(folder, _threads);
        _model.Dispose();
        (_folder, _model) = (folder, model);
        (_hash, _settings) = Hashes(folder);
    }

    public void Dispose()
    {
        _model.Dispose();
        if (_ownsCodec) _codec?.Dispose();
    }

    /// <summary>GenAI opens the folder itself: what its description names is looked through before.</summary>
    internal static Model Open(PolicyFolder folder, int threads = 0)
    {
        GenAiDescription.Check(folder.Path);
        try
        {
            if (threads == 0) return new Model(folder.Path);
            using Config config = new(folder.Path);
            config.Overlay(JsonSerializer.Serialize(new { model = new { decoder = new { session_options = new { intra_op_num_threads = threads } } } }));
            return new Model(config);
        }
        catch (OnnxRuntimeGenAIException e)
        {
            throw new BadModelException($"{folder.Path}: ONNX Runtime GenAI cannot open the model: {e.Message} Export the model again, or check that its files are whole.", e);
        }
        catch (Exception e) when (e is DllNotFoundException or TypeInitializationException or EntryPointNotFoundException)
        {
            throw new EngineException($"ONNX Runtime GenAI's native library cannot be loaded: {e.GetBaseException().Message} Run './rlhf doctor', which says what is missing.", e);
        }
    }

    private static (Task<string> Weights, Task<string> Settings) Hashes(PolicyFolder folder) => (Task.Run(folder.Hash), Task.Run(() => folder.SettingsHash(folder.Graph)));

    private IEnumerable<Rollout> Run(IEnumerable<Prompt> prompts, SamplingOptions options, CancellationToken cancellation)
    {
        if (_generating) throw new InvalidOperationException("The engine draws other responses at the moment; read them to the end or leave the enumeration first.");
        _generating = true;
        try
        {
            using PromptQueue queue = new(prompts, _codec, _folder, PromptWindow);
            OrderedOutput<Row> output = new();
            BatchDrawer drawer = new(_folder, _model, options);
            Counts = drawer.Counts;
            List<Row> batch = [];
            int most = Math.Min(options.BatchSize, LargestBatch);
            while (queue.Peek() is { } prompt)
            {
                if (batch.Count > 0 && batch[0].Prompt.Tokens.Length != prompt.Tokens.Length) Flush();
                queue.Take();
                for (int sample = 0; sample < options.SamplesPerPrompt; sample++)
                {
                    batch.Add(Row.Start(prompt, sample, options, _folder, _codec));
                    if (batch.Count == most) Flush();
                }

                while (output.TryTake(out Row? row)) yield return row.ToRollout(options, Name, PolicyHash, _codec);
            }

            if (batch.Count > 0) Flush();
            while (output.TryTake(out Row? row)) yield return row.ToRollout(options, Name, PolicyHash, _codec);

            void Flush()
            {
                try
                {
                    drawer.Draw(batch, cancellation);
                }
                catch (OnnxRuntimeGenAIException e)
                {
                    throw new EngineException($"ONNX Runtime GenAI failed while drawing responses: {e.Message}", e);
                }

                foreach (Row row in batch)
                {
                    row.Trim();
                    output.Add((row.Prompt.Index * options.SamplesPerPrompt) + row.Sample, row);
                }

                batch.Clear();
            }
        }
        finally
        {
            _generating = false;
        }
    }

    /// <summary>Draws one batch to its end.</summary>
    private sealed class BatchDrawer(PolicyFolder folder, Model model, SamplingOptions options)
    {
        private readonly RowDrawer _drawer = new(folder, options);

        public GenerationCounts Counts { get; } = new();

        public void Draw(List<Row> rows, CancellationToken cancellation)
        {
            int vocabulary = folder.VocabularySize;
            using GeneratorParams parameters = new(model);
            parameters.SetSearchOption("batch_size", rows.Count);
            parameters.SetSearchOption("do_sample", false);
            parameters.SetSearchOption("max_length", Math.Min(folder.ContextLength, rows[0].Prompt.Tokens.Length + options.MaxNewTokens));
            using Generator generator = new(model, parameters);
            generator.AppendTokens([.. rows.SelectMany(row => row.Prompt.Tokens)]);
            float[] logits = new float[rows.Count * vocabulary];
            while (rows.Exists(row => row.Finished is null))
            {
                cancellation.ThrowIfCancellationRequested();
                using (Tensor computed = GenAiNative.GetLogits(generator)) computed.GetData<float>().CopyTo(logits);
                for (int i = 0; i < rows.Count; i++)
                {
                    Span<float> row = logits.AsSpan(i * vocabulary, vocabulary);
                    if (rows[i].Finished is null) _drawer.Draw(rows[i], row);
                    row.Clear();
                    row[rows[i].LastToken] = 1; // greedy search then takes it
                }

                Counts.Steps++;
                Counts.RowSteps += rows.Count;
                Force(generator, logits, rows.Count, vocabulary);
            }

            Counts.Responses += rows.Count;
            Counts.Tokens += rows.Sum(row => row.Count);
            Counts.Prefills += rows.Count;
            Counts.PrefillTokens += rows.Sum(row => row.Prompt.Tokens.Length);
        }

        private static void Force(Generator generator, float[] logits, int rows, int vocabulary)
        {
            GCHandle pinned = GCHandle.Alloc(logits, GCHandleType.Pinned);
            try
            {
                using Tensor tensor = new(pinned.AddrOfPinnedObject(), [rows, 1, vocabulary], ElementType.float32);
                GenAiNative.SetLogits(generator, tensor);
                if (!generator.IsDone()) generator.GenerateNextToken();
            }
            finally
            {
                pinned.Free();
            }
        }
    }
}
