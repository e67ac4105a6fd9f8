namespace Rlhf.Export;

/// <summary>
/// ILQL's decoding in the graph (Snell et al. 2022): logits + β · min(Q₁, Q₂), each Q hidden → 2·hidden → ReLU → vocabulary. The paper also takes
/// V(s) away, which is the same for all tokens and leaves their probabilities as they are.
/// </summary>
internal static class ActionValues
{
    /// <summary>The names of the two heads.</summary>
    public static readonly string[] Heads = ["q1", "q2"];

    /// <summary>[…, hidden] and […, vocabulary] to […, vocabulary].</summary>
    public static string Build(GraphBuilder graph, WeightMap map, string normed, string logits, double beta)
    {
        string[] values = [.. Heads.Select(head => Head(graph, map, normed, head))];
        string least = graph.Op("Min", "/ilql/Min", values);
        return graph.Op("Add", "/ilql/Add", [logits, graph.Op("Mul", "/ilql/Mul", [least, graph.Scalar((float)beta)])]);
    }

    private static string Head(GraphBuilder graph, WeightMap map, string normed, string head)
    {
        string up = graph.Op("MatMul", $"/ilql/{head}/up/MatMul", [normed, graph.Weight(map[$"ilql.{head}.up.weight"])]);
        string biased = graph.Op("Add", $"/ilql/{head}/up/Add", [up, graph.Weight(map[$"ilql.{head}.up.bias"])]);
        string features = graph.Op("Relu", $"/ilql/{head}/Relu", [biased]);
        string down = graph.Op("MatMul", $"/ilql/{head}/down/MatMul", [features, graph.Weight(map[$"ilql.{head}.down.weight"])]);
        return graph.Op("Add", $"/ilql/{head}/down/Add", [down, graph.Weight(map[$"ilql.{head}.down.bias"])]);
    }
}
