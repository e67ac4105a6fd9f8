using Microsoft.ML.OnnxRuntime;

namespace Rlhf.Generation.Ort;

/// <summary>What a graph gives beside the cache: logits, or tokens that it has drawn itself.</summary>
internal interface IStepOutput : IDisposable
{
    /// <summary>Binds memory for a call of so many rows and positions a row. The caller disposes the tensors after the binding.</summary>
    IReadOnlyList<OrtValue> Bind(OrtIoBinding binding, int rows, int width);

    /// <summary>After a call: brings each row's result to its place.</summary>
    /// <param name="rows">Rows of the call.</param>
    /// <param name="width">Positions a row.</param>
    /// <param name="last">Index of each row's last token among its positions; empty: 0.</param>
    void Collect(int rows, int width, ReadOnlySpan<int> last);
}
