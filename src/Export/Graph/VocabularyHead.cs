using static Rlhf.Export.GraphBuilder;

namespace Rlhf.Export;

/// <summary>
/// Hidden states to logits. A tied head reads the embedding table [vocabulary, hidden] as it is: Gemm transposes while packing, so the
/// table is stored once.
/// </summary>
internal static class VocabularyHead
{
    /// <summary>Most rows of a group in <see cref="Columns"/>: two vectors of 16, for which the matrix kernel needs no second pass over the weights.</summary>
    public const int MostColumns = 32;

    /// <summary>[rows, hidden] (rank 2) or [batch, sequence, hidden] (rank 3) to the same with the vocabulary as last dimension.</summary>
    public static string Build(GraphBuilder graph, WeightMap map, GraphStyle style, string normed, int rank, string path)
    {
        string Weight(string name) => style.WeightInputs ? graph.WeightInput(map[name], turned: false) : graph.Weight(map[name]);
        if (!map.Shape.TiedHead) return graph.Op("MatMul", path + "/MatMul", [normed, Weight(WeightMap.Head)]);
        string table = Weight(WeightMap.Embedding);
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

    /// <summary>
    /// [rows, hidden] to [groups, vocabulary, rows of a group], groups of <see cref="MostColumns"/> rows or fewer and equally many; zeros make
    /// up the last. The table or head matrix is the left factor, read from its beginning to its end for each group.
    /// </summary>
    public static string Columns(GraphBuilder graph, WeightMap map, string normed, string path)
    {
        string table = map.Shape.TiedHead ? graph.WeightInput(map[WeightMap.Embedding], turned: false) : graph.WeightInput(map[WeightMap.Head], turned: true);
        string rows = graph.Op("Shape", path + "/rows/Shape", [normed], Int("start", 0), Int("end", 1));
        string groups = CeilDivide(graph, path + "/groups", rows, graph.Int64Vector(MostColumns));
        string size = CeilDivide(graph, path + "/size", rows, groups);
        string missing = graph.Op("Sub", path + "/missing/Sub", [graph.Op("Mul", path + "/padded/Mul", [groups, size]), rows]);
        string pads = graph.Op("Concat", path + "/pads/Concat", [graph.Int64Vector(0, 0), missing, graph.Int64Vector(0)], Int("axis", 0));
        string padded = graph.Op("Pad", path + "/Pad", [normed, pads]);
        string shape = graph.Op("Concat", path + "/groups/Concat", [groups, size, graph.Int64Vector(map.Shape.HiddenSize)], Int("axis", 0));
        string grouped = graph.Op("Reshape", path + "/groups/Reshape", [padded, shape]);
        return graph.MicrosoftOp("FusedMatMul", path + "/FusedMatMul", [table, grouped], Int("transB", 1));
    }

    /// <summary>⌈a / b⌉ of positive whole numbers.</summary>
    private static string CeilDivide(GraphBuilder graph, string at, string a, string b)
    {
        string sum = graph.Op("Add", at + "/Add", [a, b]);
        return graph.Op("Div", at + "/Div", [graph.Op("Sub", at + "/Sub", [sum, graph.Int64(1, vector: true)]), b]);
    }

    private static string Gemm(GraphBuilder graph, string rows, string table, string path) =>
        graph.Op("Gemm", path + "/Gemm", [rows, table], Int("transB", 1));
}
