using ElementType = Rlhf.Export.Onnx.TensorProto.Types.DataType;
using static Rlhf.Export.GraphBuilder;

namespace Rlhf.Export;

/// <summary>
/// The decoder that GenAI and the rollout engine run. Inputs: input_ids int64 [batch, sequence], attention_mask int64 [batch, total] (ones
/// first, right-padded), past_key_values.{i}.key/value. Outputs: logits [batch, sequence, vocabulary] (or of each row's last real token
/// only, [batch, 1, vocabulary]), present.{i}.key/value.
/// </summary>
internal static class PolicyGraph
{
    /// <param name="map">Names and shapes of the weights.</param>
    /// <param name="style">Node layout.</param>
    /// <param name="lastOnly">True: logits [batch, 1, vocabulary] of the last real token of each row, which is all that sampling needs.</param>
    /// <param name="hiddenOutputs">True: also hidden.{−1 … layers−1}, the residual stream [batch, sequence, hidden] after each layer.</param>
    /// <param name="sampler">True: instead of logits the tokens drawn from them, see <see cref="GumbelSampler"/>. Needs <paramref name="lastOnly"/>.</param>
    public static GraphBuilder Build(WeightMap map, GraphStyle style, bool lastOnly, bool hiddenOutputs, bool sampler = false)
    {
        ModelShape shape = map.Shape;
        GraphBuilder graph = new("policy");
        string ids = graph.Input("input_ids", ElementType.Int64, "batch_size", "sequence_length");
        string mask = graph.Input("attention_mask", ElementType.Int64, "batch_size", "total_sequence_length");

        string lengths = graph.Op("ReduceSum", "/model/attn_mask/ReduceSum", [mask, graph.Int64Vector(1)], Int("keepdims", 0));
        string last = graph.Op("Sub", "/model/attn_mask/Sub", [lengths, graph.Int64(1, vector: true)]);
        string seqlens = graph.Op("Cast", "/model/attn_mask/Sub/Cast", [last], Int("to", (int)ElementType.Int32));
        string total = graph.Op("Shape", "/model/attn_mask/Shape", [mask], Int("start", 1), Int("end", 2));
        string total32 = graph.Op("Cast", "/model/attn_mask/Shape/Cast", [total], Int("to", (int)ElementType.Int32));

        Func<string, string, string>? select = null;
        if (lastOnly)
        {
            // Prefill: the last real token is at length − 1. Decoding one token: at 0, while length − 1 counts the cache too.
            string sequence = graph.Op("Shape", "/model/last/Shape", [ids], Int("start", 1), Int("end", 2));
            string end = graph.Op("Sub", "/model/last/Sub", [sequence, graph.Int64(1, vector: true)]);
            string index = graph.Op("Min", "/model/last/Min", [last, end]);
            string column = graph.Op("Unsqueeze", "/model/last/Unsqueeze", [index, graph.Int64Vector(1)]);
            select = (path, value) => graph.Op("GatherND", path + "/GatherND", [value, column], Int("batch_dims", 1));
        }

        Trunk trunk = new(graph, map, style)
        {
            Cache = true,
            SequenceLengthsMinusOne = seqlens,
            TotalLength = total32,
            SelectRows = select,
            OnHidden = hiddenOutputs
                ? (layer, hidden) => graph.Output($"hidden.{layer}", hidden, ElementType.Float, "batch_size", "sequence_length", shape.HiddenSize)
                : null,
        };
        string normed = trunk.Build(ids);
        if (style.WeightsLeft)
        {
            graph.Output("logits", VocabularyHead.Columns(graph, map, normed, "/lm_head"), ElementType.Float, "groups", shape.VocabularySize, "group_rows");
            return graph;
        }

        string logits = VocabularyHead.Build(graph, map, style, normed, rank: lastOnly ? 2 : 3, "/lm_head");
        if (shape.ActionValueBeta is { } beta) logits = ActionValues.Build(graph, map, normed, logits, beta);
        if (sampler)
        {
            GumbelSampler.Build(graph, logits, shape.VocabularySize);
            return graph;
        }

        if (lastOnly) logits = graph.Op("Unsqueeze", "/lm_head/Unsqueeze", [logits, graph.Int64Vector(1)]);
        graph.Output("logits", logits, ElementType.Float, "batch_size", lastOnly ? 1 : "sequence_length", shape.VocabularySize);
        return graph;
    }
}
