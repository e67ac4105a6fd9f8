using ElementType = Rlhf.Export.Onnx.TensorProto.Types.DataType;
using static Rlhf.Export.GraphBuilder;

namespace Rlhf.Export;

/// <summary>
/// Log-probabilities of given tokens. Inputs: input_ids int64 [batch, sequence] right-padded, lengths int32 [batch], rows int64 [n] (which
/// positions' logits to read: row · sequence + position; the token at t is predicted at t − 1), targets int64 [n], temperature float.
/// Outputs: logprobs float [n] = log softmax(logits / temperature)[target] and, where asked for, entropy float [n] = −Σ p log p.
/// Only the wanted rows go through the last layer's MLP and the head, and the head runs over <see cref="ChunkRows"/> rows at a time,
/// so no [tokens, vocabulary] array exists.
/// </summary>
internal static class ScorerGraph
{
    /// <summary>Most rows of logits alive at once.</summary>
    public const int ChunkRows = 128;

    /// <param name="map">Names and shapes of the weights.</param>
    /// <param name="style">Node layout.</param>
    /// <param name="chunkRows">Rows of logits at a time; 0: all at once (for comparison).</param>
    /// <param name="withEntropy">True: also entropy, which costs further passes over the logits.</param>
    /// <param name="cached">True: goes on from a cache as <see cref="RewardGraph.BuildCached"/> does; rows count the columns of this call alone, and at least one is given.</param>
    public static GraphBuilder Build(WeightMap map, GraphStyle style, int chunkRows = ChunkRows, bool withEntropy = false, bool cached = false)
    {
        ModelShape shape = map.Shape;
        GraphBuilder graph = new(cached ? "scorer_cached" : "scorer");
        BatchInputs inputs = new(graph, cached);
        string rows = graph.Input("rows", ElementType.Int64, "n"), targets = graph.Input("targets", ElementType.Int64, "n");
        string temperature = graph.Input("temperature", ElementType.Float);

        string count = graph.Op("Shape", "/chunks/Shape", [rows]);
        string chunks = "", size = "";
        if (chunkRows > 0)
        {
            // chunks = max(1, ⌈n / chunkRows⌉), size = ⌈n / chunks⌉: fewer than `chunks` rows of padding.
            string one = graph.Int64(1, vector: true);
            chunks = graph.Op("Max", "/chunks/Max", [CeilDivide(graph, "/chunks/count", count, graph.Int64(chunkRows, vector: true)), one]);
            size = CeilDivide(graph, "/chunks/size", count, chunks);
            string missing = graph.Op("Sub", "/chunks/Sub", [graph.Op("Mul", "/chunks/Mul", [chunks, size]), count]);
            string pads = graph.Op("Concat", "/chunks/Concat", [graph.Int64Vector(0), missing], Int("axis", 0));
            rows = graph.Op("Pad", "/chunks/rows/Pad", [rows, pads, graph.Int64(0, vector: false)]);
            targets = graph.Op("Pad", "/chunks/targets/Pad", [targets, pads, graph.Int64(0, vector: false)]);
        }

        Trunk trunk = new(graph, map, style)
        {
            Cache = cached,
            SequenceLengthsMinusOne = inputs.SequenceLengthsMinusOne,
            TotalLength = inputs.TotalLength,
            SelectRows = (path, value) =>
            {
                // The two arrays that are selected have different widths: keep the last dimension, join the first two.
                string width = graph.Op("Shape", path + "/Shape", [value], Int("start", 2), Int("end", 3));
                string flat = graph.Op("Concat", path + "/Concat", [graph.Int64Vector(-1), width], Int("axis", 0));
                return graph.Op("Gather", path + "/Gather", [graph.Op("Reshape", path + "/Reshape", [value, flat]), rows]);
            },
        };

        // Dividing [n, hidden] by the temperature is cheaper than dividing [n, vocabulary].
        string hidden = graph.Op("Div", "/temperature/Div", [trunk.Build(inputs.Ids), temperature]);
        string logProbs, entropy;
        if (chunkRows == 0)
        {
            (logProbs, entropy) = Score(graph, map, style, hidden, targets, "/head", withEntropy);
        }
        else
        {
            GraphBuilder body = new("chunk", graph);
            body.Input("/chunk/index", ElementType.Int64);
            body.Input("/chunk/continue", ElementType.Bool);
            string start = body.Op("Mul", "/chunk/start/Mul", ["/chunk/index", size]);
            string end = body.Op("Add", "/chunk/end/Add", [start, size]);
            string h = body.Op("Slice", "/chunk/hidden/Slice", [hidden, start, end, graph.Int64Vector(0)]);
            string t = body.Op("Slice", "/chunk/targets/Slice", [targets, start, end, graph.Int64Vector(0)]);
            (string lp, string e) = Score(body, map, style, h, t, "/chunk/head", withEntropy);
            body.Output("/chunk/next", "/chunk/continue", ElementType.Bool);
            body.Output("/chunk/logprobs", lp, ElementType.Float, "chunk");
            if (withEntropy) body.Output("/chunk/entropy", e, ElementType.Float, "chunk");

            string trips = graph.Op("Squeeze", "/chunks/Squeeze", [chunks]);
            string[] scans = withEntropy ? ["/chunks/Loop/logprobs", "/chunks/Loop/entropy"] : ["/chunks/Loop/logprobs"];
            graph.Node("Loop", "/chunks/Loop", "", [trips, ""], scans, Graph("body", body.Body()));
            logProbs = Flatten(graph, "/chunks/logprobs", scans[0], count);
            entropy = withEntropy ? Flatten(graph, "/chunks/entropy", scans[1], count) : "";
        }

        graph.Output("logprobs", logProbs, ElementType.Float, "n");
        if (withEntropy) graph.Output("entropy", entropy, ElementType.Float, "n");
        return graph;
    }

    private static (string LogProbs, string Entropy) Score(
        GraphBuilder graph, WeightMap map, GraphStyle style, string hidden, string targets, string at, bool withEntropy)
    {
        string logits = VocabularyHead.Build(graph, map, style, hidden, rank: 2, at);
        string all = graph.Op("LogSoftmax", at + "/LogSoftmax", [logits], Int("axis", -1));
        string column = graph.Op("Unsqueeze", at + "/Unsqueeze", [targets, graph.Int64Vector(1)]);
        string picked = graph.Op("GatherElements", at + "/GatherElements", [all, column], Int("axis", 1));
        string logProbs = graph.Op("Squeeze", at + "/Squeeze", [picked, graph.Int64Vector(1)]);
        if (!withEntropy) return (logProbs, "");
        string weighted = graph.Op("Mul", at + "/entropy/Mul", [graph.Op("Exp", at + "/entropy/Exp", [all]), all]);
        string sum = graph.Op("ReduceSum", at + "/entropy/ReduceSum", [weighted, graph.Int64Vector(1)], Int("keepdims", 0));
        return (logProbs, graph.Op("Neg", at + "/entropy/Neg", [sum]));
    }

    /// <summary>⌈a / b⌉ of positive whole numbers.</summary>
    private static string CeilDivide(GraphBuilder graph, string at, string a, string b)
    {
        string sum = graph.Op("Add", at + "/Add", [a, b]);
        return graph.Op("Div", at + "/Div", [graph.Op("Sub", at + "/Sub", [sum, graph.Int64(1, vector: true)]), b]);
    }

    /// <summary>[chunks, size] to the first n numbers.</summary>
    private static string Flatten(GraphBuilder graph, string at, string value, string count)
    {
        string flat = graph.Op("Reshape", at + "/Reshape", [value, graph.Int64Vector(-1)]);
        return graph.Op("Slice", at + "/Slice", [flat, graph.Int64Vector(0), count, graph.Int64Vector(0)]);
    }
}
