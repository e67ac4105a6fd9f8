using ElementType = Rlhf.Export.Onnx.TensorProto.Types.DataType;
using static Rlhf.Export.GraphBuilder;

namespace Rlhf.Export;

/// <summary>
/// A reward model. Inputs: input_ids int64 [batch, sequence] right-padded, lengths int32 [batch]. Output: scores float [batch] =
/// gain · (pooled hidden state · score.weight [+ score.bias]) + bias.
/// </summary>
internal static class RewardGraph
{
    public static GraphBuilder Build(WeightMap map, GraphStyle style)
    {
        ModelShape shape = map.Shape;
        GraphBuilder graph = new("reward");
        BatchInputs inputs = new(graph);
        bool last = shape.Pooling == ScorePooling.Last;
        string column = last ? graph.Op("Unsqueeze", "/pool/Unsqueeze", [inputs.Last, graph.Int64Vector(1)]) : "";
        Trunk trunk = new(graph, map, style)
        {
            SequenceLengthsMinusOne = inputs.SequenceLengthsMinusOne,
            TotalLength = inputs.TotalLength,
            SelectRows = last ? (path, value) => graph.Op("GatherND", path + "/GatherND", [value, column], Int("batch_dims", 1)) : null,
        };
        string normed = trunk.Build(inputs.Ids);
        string perRow = graph.Op("MatMul", "/score/MatMul", [normed, graph.Weight(map[WeightMap.Score])]);
        string score = graph.Op("Squeeze", "/score/Squeeze", [perRow, graph.Int64Vector(-1)]);
        if (!last) score = Mean(graph, inputs, score);
        graph.Output("scores", Scaled(graph, map, score), ElementType.Float, "batch_size");
        return graph;
    }

    /// <summary>
    /// The same model going on from a cache. Further inputs: past_length and, for every layer, past_key_values.{i}.key/value float [batch, key heads,
    /// capacity, head size], which present.{i}.key/value are to be bound to; lengths count the cache's tokens.
    /// </summary>
    /// <param name="map">Names and shapes of the weights.</param>
    /// <param name="style">Node layout.</param>
    /// <param name="tokens">
    /// True: output token_scores float [batch, sequence], the reward that each token alone would be pooled to; the score is linear, so mean and last can be
    /// taken from them. False, for <see cref="ScorePooling.Last"/> only: scores [batch], and the last layer's cache as <see cref="LastTokenAttention"/> has it.
    /// </param>
    public static GraphBuilder BuildCached(WeightMap map, GraphStyle style, bool tokens)
    {
        ModelShape shape = map.Shape;
        if (!tokens && shape.Pooling != ScorePooling.Last) throw new ArgumentException("Scores of a part of a text exist for the last token only.", nameof(tokens));
        GraphBuilder graph = new(tokens ? "token_rewards" : "reward_cached");
        BatchInputs inputs = new(graph, cached: true);
        string Select(string path, string value) => graph.Op("GatherND", path + "/GatherND", [value, graph.Op("Unsqueeze", path + "/Unsqueeze", [inputs.Last, graph.Int64Vector(1)])], Int("batch_dims", 1));
        Trunk trunk = new(graph, map, style)
        {
            Cache = true,
            SequenceLengthsMinusOne = inputs.SequenceLengthsMinusOne,
            TotalLength = inputs.TotalLength,
            SelectRows = tokens ? null : Select,
            LastAttention = tokens ? null : normed => LastTokenAttention.Build(graph, map, inputs, shape.Layers - 1, normed, Select("/model/last", normed)),
        };
        string perRow = graph.Op("MatMul", "/score/MatMul", [trunk.Build(inputs.Ids), graph.Weight(map[WeightMap.Score])]);
        string reward = Scaled(graph, map, graph.Op("Squeeze", "/score/Squeeze", [perRow, graph.Int64Vector(-1)]));
        if (tokens) graph.Output("token_scores", reward, ElementType.Float, "batch_size", "sequence_length");
        else graph.Output("scores", reward, ElementType.Float, "batch_size");
        return graph;
    }

    private static string Scaled(GraphBuilder graph, WeightMap map, string score)
    {
        ModelShape shape = map.Shape;
        if (shape.ScoreBias) score = graph.Op("Add", "/score/Add", [score, graph.Weight(map[WeightMap.ScoreBias])]);
        string scaled = graph.Op("Mul", "/reward/gain/Mul", [score, graph.Scalar((float)shape.RewardGain)]);
        return graph.Op("Add", "/reward/bias/Add", [scaled, graph.Scalar((float)shape.RewardBias)]);
    }

    /// <summary>
    /// The score is linear, so the mean of the scores is the score of the mean. Padding is replaced, not multiplied: what stands there may
    /// be anything, NaN too.
    /// </summary>
    private static string Mean(GraphBuilder graph, BatchInputs inputs, string perToken)
    {
        string sequence = graph.Op("Squeeze", "/pool/Squeeze", [inputs.Sequence]);
        string positions = graph.Op("Range", "/pool/Range", [graph.Int64(0, vector: false), sequence, graph.Int64(1, vector: false)]);
        string last = graph.Op("Unsqueeze", "/pool/Unsqueeze", [inputs.Last, graph.Int64Vector(1)]);
        string real = graph.Op("LessOrEqual", "/pool/LessOrEqual", [positions, last]);
        string kept = graph.Op("Where", "/pool/Where", [real, perToken, graph.Scalar(0)]);
        string sum = graph.Op("ReduceSum", "/pool/ReduceSum", [kept, graph.Int64Vector(1)], Int("keepdims", 0));
        string count = graph.Op("Cast", "/pool/Cast", [inputs.Lengths], Int("to", (int)ElementType.Float));
        return graph.Op("Div", "/pool/Div", [sum, count]);
    }
}
