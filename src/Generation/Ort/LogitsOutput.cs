using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Rlhf.Generation.Ort;

/// <summary>
/// The memory that a graph writes logits to, and each row's last logits in it, whatever the graph's layout: columns by groups of rows
/// (rollout.onnx: [groups, vocabulary, rows of a group]), the last position of each row ([rows, 1, vocabulary]) or every position
/// ([rows, width, vocabulary]: model.onnx).
/// </summary>
internal sealed unsafe class LogitsOutput : IStepOutput
{
    private const int GroupRows = 32;

    private readonly string _name;
    private readonly int _vocabulary;
    private readonly Layout _layout;
    private readonly NativeBuffer<float> _written;
    private readonly NativeBuffer<float>? _lines; // [rows, vocabulary] where the graph does not write them itself

    /// <param name="policy">The graph.</param>
    /// <param name="rows">Most rows of a call.</param>
    /// <param name="positions">Most positions of a call, all rows together.</param>
    public LogitsOutput(OrtPolicy policy, int rows, int positions)
    {
        (_name, _vocabulary) = (policy.Folder.Logits, policy.Folder.VocabularySize);
        int middle = policy.Session.OutputMetadata[policy.Folder.Logits].Dimensions[1];
        _layout = middle == 1 ? Layout.Last : middle == _vocabulary ? Layout.Columns : Layout.Every;
        (int groups, int size) = Groups(rows);
        long lines = _layout switch { Layout.Columns => groups * size, Layout.Last => rows, _ => positions };
        _written = new NativeBuffer<float>(lines * _vocabulary);
        if (_layout == Layout.Columns || positions > rows) _lines = new NativeBuffer<float>((long)rows * _vocabulary);
    }

    private enum Layout
    {
        Columns,
        Last,
        Every,
    }

    /// <summary>The logits of a row, after <see cref="Collect"/>.</summary>
    public Span<float> this[int row] => (_lines ?? _written).Span((long)row * _vocabulary, _vocabulary);

    public IReadOnlyList<OrtValue> Bind(OrtIoBinding binding, int rows, int width)
    {
        (int groups, int size) = Groups(rows);
        long[] shape = _layout switch
        {
            Layout.Columns => [groups, _vocabulary, size],
            Layout.Last => [rows, 1, _vocabulary],
            _ => [rows, width, _vocabulary],
        };
        OrtValue logits = OrtValue.CreateTensorValueWithData(OrtMemoryInfo.DefaultInstance, TensorElementType.Float, shape, _written.Address, _written.Bytes);
        binding.BindOutput(_name, logits);
        return [logits];
    }

    public void Collect(int rows, int width, ReadOnlySpan<int> last)
    {
        if (_lines is null) return;
        if (_layout == Layout.Columns)
        {
            (_, int size) = Groups(rows);
            for (int from = 0; from < rows; from += size)
                MatrixTurn.Turn(_written.Pointer + ((long)from * _vocabulary), _vocabulary, size, Math.Min(size, rows - from), _lines.Pointer + ((long)from * _vocabulary));
            return;
        }

        for (int row = 0; row < rows; row++)
        {
            int line = _layout == Layout.Last ? row : (row * width) + (last.IsEmpty ? 0 : last[row]);
            _written.Span((long)line * _vocabulary, _vocabulary).CopyTo(this[row]);
        }
    }

    public void Dispose()
    {
        _written.Dispose();
        _lines?.Dispose();
    }

    /// <summary>As the graph groups rows: equally many, at most 32.</summary>
    private static (int Groups, int Size) Groups(int rows)
    {
        int groups = (rows + GroupRows - 1) / GroupRows;
        return (groups, (rows + groups - 1) / groups);
    }
}
