using Microsoft.ML.OnnxRuntime;
using Rlhf.Core;

namespace Rlhf.Scoring;

/// <summary>Opens ONNX Runtime sessions for scoring; the one place here where a native failure becomes a typed error.</summary>
internal static class OnnxSession
{
    /// <param name="folder">ONNX folder.</param>
    /// <param name="file">Graph in the folder.</param>
    /// <param name="threads">Threads inside one call; 0: all cores. 1 where calls run side by side.</param>
    /// <param name="byItself">True: with ONNX Runtime's default options and kernels.</param>
    public static InferenceSession Open(string folder, string file, int threads, bool byItself = false)
    {
        string path = Path.Combine(folder, file);
        if (!File.Exists(path))
        {
            throw new BadModelException($"{path}: file not found. An ONNX folder comes from './rlhf export --model DIR --out DIR'.");
        }

        OnnxFile.Check(path); // before the engine reads it: every weight lies inside the folder
        using var options = new SessionOptions { IntraOpNumThreads = threads, LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR };
        try
        {
            if (byItself) return new InferenceSession(path, options);
            options.GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL;
            // Memory patterns are kept for every shape, and nearly every batch has a shape of its own.
            options.EnableMemoryPattern = false;
            // Spinning workers would take the cores from the other engines of the process.
            options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0");
            return AttentionKernels.Plain(() => new InferenceSession(path, options));
        }
        catch (OnnxRuntimeException e)
        {
            throw new BadModelException($"{path}: ONNX Runtime cannot open it: {e.Message.Trim()}", e);
        }
    }

    public static void Run(string what, Action run) => Run(what, () =>
    {
        run();
        return true;
    });

    public static T Run<T>(string what, Func<T> run)
    {
        try
        {
            return run();
        }
        catch (OnnxRuntimeException e)
        {
            throw new EngineException($"ONNX Runtime failed in {what}: {e.Message.Trim()}", e);
        }
    }
}
