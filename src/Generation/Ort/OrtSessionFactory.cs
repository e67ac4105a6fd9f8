using Microsoft.ML.OnnxRuntime;
using Rlhf.Core;

namespace Rlhf.Generation.Ort;

/// <summary>How the engine's session computes.</summary>
public sealed record OrtEngineOptions
{
    /// <summary>Threads of ONNX Runtime, this one included; 0 takes every core.</summary>
    public int Threads { get; init; }

    /// <summary>
    /// True: ONNX Runtime's threads spin between the operators of a step and between steps (fastest on cores of its own).
    /// False: they sleep, which is kinder beside other busy processes.
    /// </summary>
    public bool Spinning { get; init; } = true;

    /// <summary>Tokens computed in one prefill call, padding included: bounds the memory of activations.</summary>
    public int PrefillTokens { get; init; } = 512;

    /// <summary>Prompts read ahead so that those of similar length are prefilled together and the longest start first.</summary>
    public int PromptWindow { get; init; } = 512;

    /// <summary>False: every sample computes its prompt again (for measuring what sharing saves).</summary>
    public bool SharePrefill { get; init; } = true;

    /// <summary>"cpu" or "cuda": where weights and cache lie. On cuda tokens are drawn in the graph.</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>True: tokens are drawn in the graph (sampled.onnx) on the CPU too, where that is slower; for checking what a device does.</summary>
    public bool SampleInGraph { get; init; }

    internal bool DrawsInGraph => SampleInGraph || Device == "cuda";

    internal int ResolvedThreads => Threads > 0 ? Threads : Environment.ProcessorCount;
}

/// <summary>Opens sessions over an exported policy. The one place where ONNX Runtime's failures to open become the project's errors.</summary>
internal static class OrtSessionFactory
{
    /// <summary>The folder's graph with its own weights.</summary>
    public static OrtPolicy Open(PolicyFolder folder, OrtEngineOptions options) => Guard(folder, () =>
    {
        DeviceMemory memory = DeviceMemory.Of(options.Device);
        using SessionOptions opening = Options(options);
        string graph = folder.GraphFor(options.DrawsInGraph);
        InferenceSession session = Checked(folder, graph, AttentionKernels.Plain(() => new InferenceSession(graph, opening)));
        WeightInputs? weights = null;
        try
        {
            weights = WeightInputs.Of(session, folder.Data, memory, options.ResolvedThreads);
            return new OrtPolicy(folder, session, weights, memory);
        }
        catch
        {
            session.Dispose();
            weights?.Dispose();
            throw;
        }
    });

    /// <summary>Buffers are sized by genai_config.json: it must describe this graph.</summary>
    private static InferenceSession Checked(PolicyFolder folder, string graph, InferenceSession session)
    {
        string? problem = Size(session.InputMetadata, folder.PastKey.Replace("%d", "0", StringComparison.Ordinal), 1, folder.KeyValueHeads)
            ?? Size(session.InputMetadata, folder.PastKey.Replace("%d", "0", StringComparison.Ordinal), 3, folder.HeadSize)
            ?? Size(session.InputMetadata, folder.PastValue.Replace("%d", $"{folder.Layers - 1}", StringComparison.Ordinal), 3, folder.HeadSize)
            ?? Size(session.InputMetadata, folder.InputIds, -1, 0) ?? Size(session.InputMetadata, folder.AttentionMask, -1, 0)
            ?? Size(session.OutputMetadata, folder.PresentKey.Replace("%d", $"{folder.Layers - 1}", StringComparison.Ordinal), 3, folder.HeadSize)
            ?? Size(session.OutputMetadata, folder.PresentValue.Replace("%d", "0", StringComparison.Ordinal), 1, folder.KeyValueHeads)
            ?? Vocabulary(folder, session.OutputMetadata);
        if (problem is null) return session;
        session.Dispose();
        throw new BadModelException($"{graph}: genai_config.json does not describe this graph: {problem}. Export the model again.");
    }

    /// <summary>Logits have the vocabulary in the last dimension, in the middle one (rollout.onnx), or stay in the graph (sampled.onnx).</summary>
    private static string? Vocabulary(PolicyFolder folder, IReadOnlyDictionary<string, NodeMetadata> outputs) =>
        outputs.ContainsKey("tokens")
            ? null
            : Size(outputs, folder.Logits, outputs.TryGetValue(folder.Logits, out NodeMetadata? logits) && logits.Dimensions is [_, > 1, _] ? 1 : 2, folder.VocabularySize);

    private static string? Size(IReadOnlyDictionary<string, NodeMetadata> nodes, string name, int axis, int expected)
    {
        if (!nodes.TryGetValue(name, out NodeMetadata? node)) return $"it names '{name}', which the graph does not have";
        if (axis < 0) return null;
        if (node.Dimensions.Length <= axis) return $"'{name}' has {node.Dimensions.Length} dimensions";
        int there = node.Dimensions[axis];
        return there < 0 || there == expected ? null : $"'{name}' has {there} at dimension {axis}, the description says {expected}";
    }

    private static SessionOptions Options(OrtEngineOptions options)
    {
        SessionOptions session = new()
        {
            IntraOpNumThreads = options.ResolvedThreads,
            InterOpNumThreads = 1,
            ExecutionMode = ExecutionMode.ORT_SEQUENTIAL,
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL,
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR,
            // A plan a shape would be kept for ever; batch sizes and prompt lengths change all the time here.
            EnableMemoryPattern = false,
        };
        if (options.Device == "cuda") AppendCuda(session);
        session.AddSessionConfigEntry("session.intra_op.allow_spinning", options.Spinning ? "1" : "0");
        return session;
    }

    private static void AppendCuda(SessionOptions session)
    {
        try
        {
            session.AppendExecutionProvider_CUDA(0);
        }
        catch (Exception e) when (e is OnnxRuntimeException or EntryPointNotFoundException)
        {
            throw new EngineException($"ONNX Runtime's CUDA provider cannot be loaded: {e.Message} Run './rlhf doctor', or use --device cpu.", e);
        }
    }

    private static OrtPolicy Guard(PolicyFolder folder, Func<OrtPolicy> open)
    {
        try
        {
            return open();
        }
        catch (OnnxRuntimeException e)
        {
            throw new BadModelException($"{folder.FastGraph}: ONNX Runtime cannot open the model: {e.Message} Export the model again, or check that its files are whole.", e);
        }
        catch (Exception e) when (e is DllNotFoundException or TypeInitializationException or EntryPointNotFoundException)
        {
            throw new EngineException($"ONNX Runtime's native library cannot be loaded: {e.GetBaseException().Message} Run './rlhf doctor', which says what is missing.", e);
        }
    }
}
