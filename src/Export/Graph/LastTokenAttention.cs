using ElementType = Rlhf.Export.Onnx.TensorProto.Types.DataType;
using static Rlhf.Export.GraphBuilder;

namespace Rlhf.Export;

/// <summary>
/// The last layer's attention where only each row's last token is read: keys and values of all tokens, but one query a row, so the square of
/// scores is a line. Past and present are last.key and last.value float [batch, tokens, key heads · head size], keys after rotation.
/// </summary>
internal static class LastTokenAttention
{
    /// <summary>Names of the cache's inputs and outputs.</summary>
    public const string PastKey = "past_last.key", PastValue = "past_last.value", PresentKey = "present_last.key", PresentValue = "present_last.value";

    /// <summary>[batch, sequence, hidden] to [batch, heads · head size].</summary>
    /// <param name="graph">Nodes go here.</param>
    /// <param name="map">Names and shapes of the weights.</param>
    /// <param name="inputs">A batch with a cache.</param>
    /// <param name="layer">The last layer.</param>
    /// <param name="normed">Input of the layer's attention.</param>
    /// <param name="lastRow">The rows of it at each last token: [batch, hidden].</param>
    public static string Build(GraphBuilder graph, WeightMap map, BatchInputs inputs, int layer, string normed, string lastRow)
    {
        ModelShape shape = map.Shape;
        int size = shape.PaddedHeadSize, queries = shape.Heads * size, keys = shape.KeyValueHeads * size, group = shape.Heads / shape.KeyValueHeads;
        string at = $"/model/layers.{layer}/last/", weights = $"model.layers.{layer}.self_attn.qkv_proj";

        // Queries and keys-with-values are columns of one stored matrix; the engine cuts them out once, when it opens the graph.
        string q = Columns(graph, map, at + "q_proj", weights, lastRow, 0, queries);
        string kv = Columns(graph, map, at + "kv_proj", weights, normed, queries, queries + (2 * keys));
        string k = at + "split/output_0", v = at + "split/output_1";
        graph.Node("Split", at + "split", "", [kv], [k, v], Int("axis", -1), Int("num_outputs", 2));

        string position = graph.Op("Unsqueeze", at + "position/Unsqueeze", [inputs.LastPosition, graph.Int64Vector(1)]);
        string q3 = graph.Op("Unsqueeze", at + "q/Unsqueeze", [q, graph.Int64Vector(1)]);
        q3 = Rotate(graph, map, at + "q/", q3, position, shape.Heads);
        k = Rotate(graph, map, at + "k/", k, inputs.Past, shape.KeyValueHeads);
        k = Join(graph, at + "k/", k, PastKey, PresentKey, keys);
        v = Join(graph, at + "v/", v, PastValue, PresentValue, keys);

        // Each query stands in the columns of its own key head and zeros elsewhere, so that keys are read as they lie, without a transposition.
        string own = graph.Matrix("/constants/last/heads", Own(shape.Heads, group), shape.Heads, shape.KeyValueHeads, 1);
        string heads = graph.Op("Reshape", at + "q/Reshape", [q3, graph.Int64Vector(0, shape.Heads, 1, size)]);
        string spread = graph.Op("Reshape", at + "q/spread/Reshape", [graph.Op("Mul", at + "q/Mul", [heads, own]), graph.Int64Vector(0, shape.Heads, keys)]);
        string scores = graph.MicrosoftOp("FusedMatMul", at + "scores/FusedMatMul", [spread, k], Int("transB", 1), Float("alpha", 1 / Math.Sqrt(shape.HeadSize)));

        string end = graph.Op("Squeeze", at + "total/Squeeze", [inputs.Total]);
        string columns = graph.Op("Range", at + "Range", [graph.Int64(0, vector: false), end, graph.Int64(1, vector: false)]);
        string real = graph.Op("LessOrEqual", at + "LessOrEqual", [columns, graph.Op("Unsqueeze", at + "mask/Unsqueeze", [inputs.LastPosition, graph.Int64Vector(1, 2)])]);
        string masked = graph.Op("Where", at + "Where", [real, scores, graph.Scalar(float.MinValue)]);
        string shares = graph.Op("Softmax", at + "Softmax", [masked], Int("axis", -1));

        string mixed = graph.Op("MatMul", at + "values/MatMul", [shares, v]);
        string wide = graph.Op("Reshape", at + "values/Reshape", [mixed, graph.Int64Vector(0, shape.Heads, shape.KeyValueHeads, size)]);
        string narrow = graph.Op("ReduceSum", at + "values/ReduceSum", [graph.Op("Mul", at + "values/Mul", [wide, own]), graph.Int64Vector(2)], Int("keepdims", 0));
        return graph.Op("Reshape", at + "values/flat/Reshape", [narrow, graph.Int64Vector(0, queries)]);
    }

    private static string Columns(GraphBuilder graph, WeightMap map, string path, string weights, string input, int from, int to)
    {
        string matrix = graph.Op("Slice", path + "/Slice", [graph.Weight(map[weights + ".weight"]), graph.Int64Vector(from), graph.Int64Vector(to), graph.Int64Vector(1)]);
        string product = graph.Op("MatMul", path + "/MatMul", [input, matrix]);
        if (!map.Shape.QueryKeyValueBias) return product;
        string bias = graph.Op("Slice", path + "/bias/Slice", [graph.Weight(map[weights + ".bias"]), graph.Int64Vector(from), graph.Int64Vector(to), graph.Int64Vector(0)]);
        return graph.Op("Add", path + "/Add", [product, bias]);
    }

    private static string Rotate(GraphBuilder graph, WeightMap map, string at, string input, string positions, int heads) =>
        graph.MicrosoftOp("RotaryEmbedding", at + "RotaryEmbedding", [input, positions, graph.Weight(map[WeightMap.Cosines]), graph.Weight(map[WeightMap.Sines])],
            Int("num_heads", heads), Int("rotary_embedding_dim", map.Shape.PaddedHeadSize), Int("interleaved", 0));

    private static string Join(GraphBuilder graph, string at, string value, string pastName, string presentName, int width)
    {
        string past = graph.Input(pastName, ElementType.Float, "batch_size", "past_tokens", width);
        string joined = graph.Node("Concat", at + "Concat", "", [past, value], [presentName], Int("axis", 1));
        graph.Output(presentName, joined, ElementType.Float, "batch_size", "total_tokens", width);
        return joined;
    }

    /// <summary>[heads, key heads]: 1 where the key head is the head's own.</summary>
    private static float[] Own(int heads, int group)
    {
        float[] own = new float[heads * (heads / group)];
        for (int h = 0; h < heads; h++) own[(h * (heads / group)) + (h / group)] = 1;
        return own;
    }
}
