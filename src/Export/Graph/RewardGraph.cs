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
        if (shape.ScoreBias) score = graph.Op("Add", "/score/Add", [score, graph.Weight(map[WeightMap.ScoreBias])]);
        string scaled = graph.Op("Mul", "/reward/gain/Mul", [score, graph.Scalar((float)shape.RewardGain)]);
        graph.Output("scores", graph.Op("Add", "/reward/bias/Add", [scaled, graph.Scalar((float)shape.RewardBias)]), ElementType.Float, "batch_size");
        return graph;
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
