using ElementType = Rlhf.Export.Onnx.TensorProto.Types.DataType;
using static Rlhf.Export.GraphBuilder;

namespace Rlhf.Export;

/// <summary>
/// Inputs of a graph that scores: input_ids int64 [batch, sequence], right-padded with any token, and lengths int32 [batch], the real
/// tokens of each row. Causal attention never looks right, so padding changes no real position. A graph that goes on from a cache also has
/// past_length int64 [1], the tokens of every row that are in it; lengths count them.
/// </summary>
internal sealed class BatchInputs
{
    public BatchInputs(GraphBuilder graph, bool cached = false)
    {
        Ids = graph.Input("input_ids", ElementType.Int64, "batch_size", "sequence_length");
        Lengths = graph.Input("lengths", ElementType.Int32, "batch_size");
        string one = graph.Int64(1, vector: true);
        string long64 = graph.Op("Cast", "/model/lengths/Cast", [Lengths], Int("to", (int)ElementType.Int64));
        LastPosition = graph.Op("Sub", "/model/lengths/Sub", [long64, one]);
        Sequence = graph.Op("Shape", "/model/ids/Shape", [Ids], Int("start", 1), Int("end", 2));
        if (!cached)
        {
            Last = LastPosition;
            Total = Sequence;
            SequenceLengthsMinusOne = graph.Op("Cast", "/model/lengths/Sub/Cast", [Last], Int("to", (int)ElementType.Int32));
        }
        else
        {
            // Every row counts as long as the padded ones: what stands behind a row's end is computed and never read.
            Past = graph.Input("past_length", ElementType.Int64, 1);
            Last = graph.Op("Sub", "/model/past/Sub", [LastPosition, Past]);
            Total = graph.Op("Add", "/model/past/Add", [Sequence, Past]);
            string end = graph.Op("Cast", "/model/total/Sub/Cast", [graph.Op("Sub", "/model/total/Sub", [Total, one])], Int("to", (int)ElementType.Int32));
            string batch = graph.Op("Shape", "/model/ids/batch/Shape", [Ids], Int("start", 0), Int("end", 1));
            SequenceLengthsMinusOne = graph.Op("Expand", "/model/total/Expand", [end, batch]);
        }

        TotalLength = graph.Op("Cast", "/model/ids/Shape/Cast", [Total], Int("to", (int)ElementType.Int32));
    }

    public string Ids { get; }

    public string Lengths { get; }

    /// <summary>int64 [1]: tokens in the cache; empty in a graph without one.</summary>
    public string Past { get; } = "";

    /// <summary>int64 [batch]: column of the last real token in input_ids.</summary>
    public string Last { get; }

    /// <summary>int64 [batch]: position of the last real token, the cache included.</summary>
    public string LastPosition { get; }

    public string SequenceLengthsMinusOne { get; }

    /// <summary>int64 [1]: padded length of input_ids.</summary>
    public string Sequence { get; }

    /// <summary>int64 [1]: padded length and the cache's.</summary>
    public string Total { get; }

    public string TotalLength { get; }
}
