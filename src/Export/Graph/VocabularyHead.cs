using static Rlhf.Export.GraphBuilder;

namespace Rlhf.Export;

/// <summary>
/// Hidden states to logits. A tied head reads the embedding table [vocabulary, hidden] as it is: Gemm transposes while packing, so the
/// table is stored once.
/// </summary>
internal static class VocabularyHead
{
    /// <summary>[rows, hidden] (rank 2) or [batch, sequence, hidden] (rank 3) to the same with the vocabulary as last dimension.</summary>
    public static string Build(GraphBuilder graph, WeightMap map, GraphStyle style, string normed, int rank, string path)
    {
        if (!map.Shape.TiedHead) return graph.Op("MatMul", path + "/MatMul", [normed, graph.Weight(map[WeightMap.Head])]);
        string table = graph.Weight(map[WeightMap.Embedding]);
        if (!style.GemmHead)
        {
            string transposed = graph.Op("Transpose", path + "/Transpose", [table], Ints("perm", 1, 0));
            return graph.Op("MatMul", path + "/MatMul", [normed, transposed]);
        }

        if (rank == 2) return Gemm(graph, normed, table, path);
        string rows = graph.Op("Reshape", path + "/rows/Reshape", [normed, graph.Int64Vector(-1, map.Shape.HiddenSize)]);
        string shape = graph.Op("Shape", path + "/Shape", [normed], Int("start", 0), Int("end", 2));
        string full = graph.Op("Concat", path + "/Concat", [shape, graph.Int64Vector(map.Shape.VocabularySize)], Int("axis", 0));
        return graph.Op("Reshape", path + "/Reshape", [Gemm(graph, rows, table, path), full]);
    }

    private static string Gemm(GraphBuilder graph, string rows, string table, string path) =>
        graph.Op("Gemm", path + "/Gemm", [rows, table], Int("transB", 1));
}
