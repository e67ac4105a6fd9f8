namespace Rlhf.Export;

/// <summary>
/// The manifest of initializers: what each weight of the exported graphs is called and how the trainer's parameters fill it. All graphs of
/// a folder share the names, so one hand-over or one data file serves them all. Hand-over without writing: open a graph of an exported
/// folder with <c>SessionOptions.AddInitializer</c> for every entry; the folder's own data file must exist but is not read.
/// </summary>
public sealed class WeightMap
{
    internal const string Embedding = "model.embed_tokens.weight";
    internal const string Head = "lm_head.weight";
    internal const string FinalNorm = "model.norm.weight";
    internal const string Cosines = "cos_cache";
    internal const string Sines = "sin_cache";
    internal const string Score = "score.weight";
    internal const string ScoreBias = "score.bias";

    private readonly Dictionary<string, WeightEntry> _entries;

    private WeightMap(ModelShape shape, IReadOnlyList<WeightEntry> list)
    {
        Shape = shape;
        Entries = list;
        _entries = list.ToDictionary(entry => entry.Initializer);
    }

    public ModelShape Shape { get; }

    public IReadOnlyList<WeightEntry> Entries { get; }

    public WeightEntry this[string initializer] => _entries[initializer];

    /// <summary>The weights of a policy: trunk and vocabulary head.</summary>
    public static WeightMap ForPolicy(ModelShape shape) => new(shape, Build(shape, vocabularyHead: true, scoreHead: false, GraphStyle.Default));

    /// <summary>The weights of a reward model: trunk and <c>score.weight</c> [hidden, 1].</summary>
    public static WeightMap ForReward(ModelShape shape) => new(shape, Build(shape, vocabularyHead: false, scoreHead: true, GraphStyle.Default));

    internal static WeightMap ForPolicy(ModelShape shape, GraphStyle style) => new(shape, Build(shape, true, false, style));

    internal static WeightMap ForReward(ModelShape shape, GraphStyle style) => new(shape, Build(shape, false, true, style));

    private static List<WeightEntry> Build(ModelShape shape, bool vocabularyHead, bool scoreHead, GraphStyle style)
    {
        int hidden = shape.HiddenSize, half = shape.PaddedHeadSize / 2;
        List<WeightEntry> list =
        [
            Copy(Embedding, shape.VocabularySize, hidden),
            RotaryTable.Entry(Cosines, shape, Math.Cos),
            RotaryTable.Entry(Sines, shape, Math.Sin),
        ];
        for (int layer = 0; layer < shape.Layers; layer++)
        {
            string at = $"model.layers.{layer}.";
            list.Add(Copy(at + "input_layernorm.weight", hidden));
            HeadColumns q = new(at + "self_attn.q_proj", shape.Heads), k = new(at + "self_attn.k_proj", shape.KeyValueHeads),
                v = new(at + "self_attn.v_proj", shape.KeyValueHeads);
            foreach ((string name, HeadColumns[] parts) in style.FusedQkv
                ? [(at + "self_attn.qkv_proj", new[] { q, k, v })]
                : new[] { (q.Name, new[] { q }), (k.Name, [k]), (v.Name, [v]) })
            {
                list.Add(Concatenate(name + ".weight", ".weight", parts, hidden, shape));
                if (shape.QueryKeyValueBias) list.Add(Concatenate(name + ".bias", ".bias", parts, 0, shape));
            }

            list.Add(HeadRows(at + "self_attn.o_proj.weight", shape));
            if (shape.OutputBias) list.Add(Copy(at + "self_attn.o_proj.bias", hidden));
            list.Add(Copy(at + "post_attention_layernorm.weight", hidden));
            if (style.FusedGateUp)
            {
                int inner = shape.IntermediateSize;
                list.Add(new(at + "mlp.gate_up_proj.weight", [hidden, 2 * inner],
                [
                    new(at + "mlp.gate_proj.weight", 0, inner, 0, 2 * inner, inner, hidden),
                    new(at + "mlp.up_proj.weight", 0, inner, inner, 2 * inner, inner, hidden),
                ]));
            }
            else
            {
                list.Add(Copy(at + "mlp.gate_proj.weight", hidden, shape.IntermediateSize));
                list.Add(Copy(at + "mlp.up_proj.weight", hidden, shape.IntermediateSize));
            }

            list.Add(Copy(at + "mlp.down_proj.weight", shape.IntermediateSize, hidden));
        }

        list.Add(Copy(FinalNorm, hidden));
        if (vocabularyHead && !shape.TiedHead) list.Add(Copy(Head, hidden, shape.VocabularySize));
        if (vocabularyHead && shape.ActionValueBeta is not null)
        {
            foreach (string head in ActionValues.Heads)
            {
                list.Add(Copy($"ilql.{head}.up.weight", hidden, 2 * hidden));
                list.Add(Copy($"ilql.{head}.up.bias", 2 * hidden));
                list.Add(Copy($"ilql.{head}.down.weight", 2 * hidden, shape.VocabularySize));
                list.Add(Copy($"ilql.{head}.down.bias", shape.VocabularySize));
            }
        }

        if (scoreHead) list.Add(Copy(Score, hidden, 1));
        if (scoreHead && shape.ScoreBias) list.Add(Copy(ScoreBias, 1));
        return list;
    }

    private static WeightEntry Copy(string name, params long[] dimensions)
    {
        int count = checked((int)dimensions.Aggregate(1L, (a, b) => a * b));
        return new(name, dimensions, [new(name, 0, count, 0, count, count, 1)]);
    }

    /// <summary>Columns of several projections side by side, every head padded: [rows, Σ heads · padded]; a bias when rows is 0.</summary>
    private static WeightEntry Concatenate(string name, string suffix, HeadColumns[] parts, int rows, ModelShape shape)
    {
        int columns = parts.Sum(part => part.Heads) * shape.PaddedHeadSize, start = 0, lines = Math.Max(rows, 1);
        List<WeightPiece> pieces = [];
        foreach (HeadColumns part in parts)
        {
            int width = part.Heads * shape.HeadSize;
            if (shape.PaddedHeadSize == shape.HeadSize)
            {
                pieces.Add(new(part.Name + suffix, 0, width, start, columns, width, lines));
            }
            else
            {
                int half = shape.HeadSize / 2;
                for (int h = 0; h < 2 * part.Heads; h++)
                    pieces.Add(new(part.Name + suffix, h * half, width, start + (h * shape.PaddedHeadSize / 2), columns, half, lines));
            }

            start += part.Heads * shape.PaddedHeadSize;
        }

        return new(name, rows == 0 ? [columns] : [rows, columns], pieces);
    }

    /// <summary>The output projection reads padded heads: zero rows where the padding is.</summary>
    private static WeightEntry HeadRows(string name, ModelShape shape)
    {
        if (shape.PaddedHeadSize == shape.HeadSize) return Copy(name, shape.Heads * shape.HeadSize, shape.HiddenSize);
        int run = shape.HeadSize / 2 * shape.HiddenSize, padded = shape.PaddedHeadSize / 2 * shape.HiddenSize;
        return new(name, [shape.Heads * shape.PaddedHeadSize, shape.HiddenSize], [new(name, 0, run, 0, padded, run, 2 * shape.Heads)]);
    }

    private sealed record HeadColumns(string Name, int Heads);
}
