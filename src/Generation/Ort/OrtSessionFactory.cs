using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
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

    internal int ResolvedThreads => Threads > 0 ? Threads : Environment.ProcessorCount;
}

/// <summary>Opens sessions over an exported policy. The one place where ONNX Runtime's failures to open become the project's errors.</summary>
internal static class OrtSessionFactory
{
    /// <summary>The session over the folder's own weights.</summary>
    public static InferenceSession Open(PolicyFolder folder, OrtEngineOptions options) => Guard(folder, () =>
    {
        using SessionOptions session = Options(options);
        return Checked(folder, new InferenceSession(folder.FastGraph, session));
    });

    /// <summary>Buffers are sized by genai_config.json: it must describe this graph.</summary>
    private static InferenceSession Checked(PolicyFolder folder, InferenceSession session)
    {
        string? problem = Size(session.InputMetadata, folder.PastKey.Replace("%d", "0", StringComparison.Ordinal), 1, folder.KeyValueHeads)
            ?? Size(session.InputMetadata, folder.PastKey.Replace("%d", "0", StringComparison.Ordinal), 3, folder.HeadSize)
            ?? Size(session.InputMetadata, folder.PastValue.Replace("%d", $"{folder.Layers - 1}", StringComparison.Ordinal), 3, folder.HeadSize)
            ?? Size(session.InputMetadata, folder.InputIds, -1, 0) ?? Size(session.InputMetadata, folder.AttentionMask, -1, 0)
            ?? Size(session.OutputMetadata, folder.PresentKey.Replace("%d", $"{folder.Layers - 1}", StringComparison.Ordinal), 3, folder.HeadSize)
            ?? Size(session.OutputMetadata, folder.PresentValue.Replace("%d", "0", StringComparison.Ordinal), 1, folder.KeyValueHeads)
            ?? Size(session.OutputMetadata, folder.Logits, 2, folder.VocabularySize);
        if (problem is null) return session;
        session.Dispose();
        throw new BadModelException($"{folder.FastGraph}: genai_config.json does not describe this graph: {problem}. Export the model again.");
    }

    private static string? Size(IReadOnlyDictionary<string, NodeMetadata> nodes, string name, int axis, int expected)
    {
        if (!nodes.TryGetValue(name, out NodeMetadata? node)) return $"it names '{name}', which the graph does not have";
        if (axis < 0) return null;
        if (node.Dimensions.Length <= axis) return $"'{name}' has {node.Dimensions.Length} dimensions";
        int there = node.Dimensions[axis];
        return there < 0 || there == expected ? null : $"'{name}' has {there} at dimension {axis}, the description says {expected}";
    }

    /// <summary>The session over weights in memory, which must outlive it; weights not given are read from the folder.</summary>
    public static InferenceSession Open(PolicyFolder folder, byte[] graph, IReadOnlyList<WeightTensor> weights, OrtEngineOptions options) => Guard(folder, () =>
    {
        using SessionOptions session = Options(options);
        session.AddSessionConfigEntry("session.model_external_initializers_file_folder_path", folder.Path);
        List<OrtValue> values = [];
        try
        {
            foreach (WeightTensor weight in weights)
            {
                OrtValue value = OrtValue.CreateTensorValueWithData(OrtMemoryInfo.DefaultInstance, TensorElementType.Float, [.. weight.Dimensions], weight.Address, weight.Count * sizeof(float));
                values.Add(value);
                session.AddInitializer(weight.Name, value);
            }

            return new InferenceSession(graph, session);
        }
        finally
        {
            values.ForEach(value => value.Dispose());
        }
    });

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
        session.AddSessionConfigEntry("session.intra_op.allow_spinning", options.Spinning ? "1" : "0");
        return session;
    }

    private static InferenceSession Guard(PolicyFolder folder, Func<InferenceSession> open)
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
