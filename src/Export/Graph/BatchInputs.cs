using ElementType = Rlhf.Export.Onnx.TensorProto.Types.DataType;
using static Rlhf.Export.GraphBuilder;

namespace Rlhf.Export;

/// <summary>
/// Inputs of a graph without a cache: input_ids int64 [batch, sequence], right-padded with any token, and lengths int32 [batch], the real
/// tokens of each row. Causal attention never looks right, so padding changes no real position.
/// </summary>
internal sealed class BatchInputs
{
    public BatchInputs(GraphBuilder graph)
    {
        Ids = graph.Input("input_ids", ElementType.Int64, "batch_size", "sequence_length");
        Lengths = graph.Input("lengths", ElementType.Int32, "batch_size");
        string long64 = graph.Op("Cast", "/model/lengths/Cast", [Lengths], Int("to", (int)ElementType.Int64));
        Last = graph.Op("Sub", "/model/lengths/Sub", [long64, graph.Int64(1, vector: true)]);
        SequenceLengthsMinusOne = graph.Op("Cast", "/model/lengths/Sub/Cast", [Last], Int("to", (int)ElementType.Int32));
        Sequence = graph.Op("Shape", "/model/ids/Shape", [Ids], Int("start", 1), Int("end", 2));
        TotalLength = graph.Op("Cast", "/model/ids/Shape/Cast", [Sequence], Int("to", (int)ElementType.Int32));
    }

    public string Ids { get; }

    public string Lengths { get; }

    /// <summary>int64 [batch]: position of the last real token.</summary>
    public string Last { get; }

    public string SequenceLengthsMinusOne { get; }

    /// <summary>int64 [1]: padded length.</summary>
    public string Sequence { get; }

    public string TotalLength { get; }
}
