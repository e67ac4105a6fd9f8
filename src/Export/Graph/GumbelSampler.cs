using ElementType = Rlhf.Export.Onnx.TensorProto.Types.DataType;
using static Rlhf.Export.GraphBuilder;

namespace Rlhf.Export;

/// <summary>
/// Sampling in the graph, for devices where logits should not leave memory: the Gumbel-max trick (Maddison et al. 2014), argmax over
/// logits/T − ln E with E = −ln(1 − v) and v uniform, which is a draw from softmax(logits/T), exactly. v is a hash of (row's address, token),
/// so a draw depends on its address alone. The hash is the murmur3-like finaliser of 32 bits ("lowbias32", Wellons 2018), twice, in int64
/// arithmetic that every execution provider has: shifts are divisions.
/// Inputs: temperature float [1]; noise float [1], 1 to draw, 0 for the most likely token; addresses int64 [rows, 2], two numbers below 2³²
/// a row. Outputs: tokens int64 [rows, 1] and logprobs float [rows, 1], nats under softmax(logits/T).
/// </summary>
internal static class GumbelSampler
{
    private const long Mask = 0xFFFFFFFF, Golden = 0x9E3779B1, First = 0x7FEB352D, Second = 0x846CA68B;

    /// <summary>Below this v, −ln(1 − v) is taken from its series: 1 − v would have lost v's last bits.</summary>
    private const float SeriesBelow = 1f / 256;

    /// <param name="graph">Where the nodes go.</param>
    /// <param name="logits">[rows, vocabulary].</param>
    /// <param name="vocabulary">Tokens.</param>
    public static void Build(GraphBuilder graph, string logits, int vocabulary)
    {
        string temperature = graph.Input("temperature", ElementType.Float, 1), noise = graph.Input("noise", ElementType.Float, 1);
        string addresses = graph.Input("addresses", ElementType.Int64, "batch_size", 2);
        string scaled = graph.Op("Div", "/sampler/Div", [logits, temperature]);
        string gumbel = Gumbel(graph, Uniform(graph, addresses, vocabulary));
        string scores = graph.Op("Add", "/sampler/Add", [scaled, graph.Op("Mul", "/sampler/noise/Mul", [gumbel, noise])]);
        string token = graph.Op("ArgMax", "/sampler/ArgMax", [scores], Int("axis", 1), Int("keepdims", 1));
        string logSum = graph.Op("ReduceLogSumExp", "/sampler/ReduceLogSumExp", [scaled, graph.Int64Vector(1)], Int("keepdims", 1));
        string picked = graph.Op("GatherElements", "/sampler/GatherElements", [scaled, token], Int("axis", 1));
        graph.Output("tokens", token, ElementType.Int64, "batch_size", 1);
        graph.Output("logprobs", graph.Op("Sub", "/sampler/logprobs/Sub", [picked, logSum]), ElementType.Float, "batch_size", 1);
    }

    /// <summary>v = (hash + ½)/2³² in (0, 1): float [rows, vocabulary].</summary>
    private static string Uniform(GraphBuilder graph, string addresses, int vocabulary)
    {
        string low = Column(graph, addresses, 0), high = Column(graph, addresses, 1);
        string tokens = graph.Op("Range", "/sampler/tokens/Range", [graph.Int64(0, vector: false), graph.Int64(vocabulary, vector: false), graph.Int64(1, vector: false)]);
        string spread = graph.Op("Mul", "/sampler/tokens/Mul", [tokens, graph.Int64(Golden, vector: false)]);
        string hash = Mix(graph, "/sampler/first", Low32(graph, "/sampler/low", graph.Op("Add", "/sampler/low/Add", [spread, low])));
        hash = Mix(graph, "/sampler/second", Low32(graph, "/sampler/high", graph.Op("Add", "/sampler/high/Add", [hash, high])));
        string number = graph.Op("Cast", "/sampler/Cast", [hash], Int("to", (int)ElementType.Float));
        string unit = graph.Op("Mul", "/sampler/unit/Mul", [graph.Op("Add", "/sampler/unit/Add", [number, graph.Scalar(.5f)]), graph.Scalar(1f / 4294967296f)]);
        return graph.Op("Min", "/sampler/unit/Min", [unit, graph.Scalar(MathF.BitDecrement(1))]);
    }

    /// <summary>−ln(−ln(1 − v)).</summary>
    private static string Gumbel(GraphBuilder graph, string v)
    {
        const string At = "/sampler/exponential";
        string cubic = graph.Op("Add", At + "/third/Add", [graph.Op("Mul", At + "/third/Mul", [v, graph.Scalar(1f / 3)]), graph.Scalar(.5f)]);
        string series = graph.Op("Mul", At + "/series/Mul", [v, graph.Op("Add", At + "/second/Add", [graph.Op("Mul", At + "/second/Mul", [v, cubic]), graph.Scalar(1)])]);
        string exact = graph.Op("Neg", At + "/Neg", [graph.Op("Log", At + "/Log", [graph.Op("Sub", At + "/Sub", [graph.Scalar(1), v])])]);
        string exponential = graph.Op("Where", At + "/Where", [graph.Op("Less", At + "/Less", [v, graph.Scalar(SeriesBelow)]), series, exact]);
        return graph.Op("Neg", "/sampler/gumbel/Neg", [graph.Op("Log", "/sampler/gumbel/Log", [exponential])]);
    }

    private static string Mix(GraphBuilder graph, string at, string x)
    {
        x = ShiftXor(graph, at + "/a", x, 16);
        x = Low32(graph, at + "/b", graph.Op("Mul", at + "/b/Mul", [x, graph.Int64(First, vector: false)]));
        x = ShiftXor(graph, at + "/c", x, 15);
        x = Low32(graph, at + "/d", graph.Op("Mul", at + "/d/Mul", [x, graph.Int64(Second, vector: false)])); // may wrap; the low bits are right
        return ShiftXor(graph, at + "/e", x, 16);
    }

    private static string ShiftXor(GraphBuilder graph, string at, string x, int bits) =>
        graph.Op("BitwiseXor", at + "/BitwiseXor", [x, graph.Op("Div", at + "/Div", [x, graph.Int64(1L << bits, vector: false)])]);

    private static string Low32(GraphBuilder graph, string at, string x) => graph.Op("BitwiseAnd", at + "/BitwiseAnd", [x, graph.Int64(Mask, vector: false)]);

    private static string Column(GraphBuilder graph, string addresses, int column) =>
        graph.Op("Slice", $"/sampler/address{column}/Slice", [addresses, graph.Int64Vector(column), graph.Int64Vector(column + 1), graph.Int64Vector(1)]);
}
