namespace Rlhf.Models;

/// <summary>The parameters of a Llama model by name and shape, in the order in which they lie in memory.</summary>
public static class LlamaParameters
{
    public const string Embedding = "model.embed_tokens.weight";
    public const string FinalNorm = "model.norm.weight";
    public const string LanguageModelHead = "lm_head.weight";
    public const string ValueWeight = "value_head.weight";
    public const string ValueBias = "value_head.bias";
    public const string ScoreWeight = "score.weight";
    public const string ScoreBias = "score.bias";

    /// <summary>Of layer <paramref name="index"/>: <paramref name="part"/> is for example "self_attn.q_proj.weight".</summary>
    public static string OfLayer(int index, string part) => $"model.layers.{index}.{part}";

    /// <summary>Every parameter of the model and its head.</summary>
    public static IReadOnlyList<ParameterSpec> Of(LlamaConfig config)
    {
        long hidden = config.HiddenSize;
        List<ParameterSpec> list = [Vectors(Embedding, config.VocabSize, hidden)];
        for (int i = 0; i < config.NumHiddenLayers; i++) AddLayer(list, config, i);
        list.Add(Norm(FinalNorm, hidden));
        switch (config.Head)
        {
            case ModelHead.Scalar:
                list.Add(Linear(ScoreWeight, hidden, 1, ParameterStart.RewardHead));
                if (config.ScoreBias) list.Add(Bias(ScoreBias, 1));
                break;
            default:
                if (!config.TieWordEmbeddings) list.Add(Linear(LanguageModelHead, hidden, config.VocabSize));
                if (config.Head == ModelHead.LanguageModelWithValue)
                {
                    list.Add(Linear(ValueWeight, hidden, 1, ParameterStart.Zero));
                    list.Add(Bias(ValueBias, 1));
                }

                break;
        }

        return list;
    }

    private static void AddLayer(List<ParameterSpec> list, LlamaConfig config, int layer)
    {
        long hidden = config.HiddenSize, query = config.QueryWidth, keyValue = config.KeyValueWidth, inner = config.IntermediateSize;
        string Name(string part) => OfLayer(layer, part);
        list.Add(Norm(Name("input_layernorm.weight"), hidden));
        list.Add(Linear(Name("self_attn.q_proj.weight"), hidden, query));
        list.Add(Linear(Name("self_attn.k_proj.weight"), hidden, keyValue));
        list.Add(Linear(Name("self_attn.v_proj.weight"), hidden, keyValue));
        if (config.AttentionBias)
        {
            list.Add(Bias(Name("self_attn.q_proj.bias"), query));
            list.Add(Bias(Name("self_attn.k_proj.bias"), keyValue));
            list.Add(Bias(Name("self_attn.v_proj.bias"), keyValue));
        }

        list.Add(Linear(Name("self_attn.o_proj.weight"), query, hidden, ParameterStart.Residual));
        if (config.AttentionOutputBias) list.Add(Bias(Name("self_attn.o_proj.bias"), hidden));
        list.Add(Norm(Name("post_attention_layernorm.weight"), hidden));
        list.Add(Linear(Name("mlp.gate_proj.weight"), hidden, inner));
        list.Add(Linear(Name("mlp.up_proj.weight"), hidden, inner));
        list.Add(Linear(Name("mlp.down_proj.weight"), inner, hidden, ParameterStart.Residual));
    }

    private static ParameterSpec Linear(string name, long from, long to, ParameterStart start = ParameterStart.Normal) =>
        new(name, [from, to], [to, from], true, start);

    private static ParameterSpec Vectors(string name, long count, long size) => new(name, [count, size], [count, size], false, ParameterStart.Normal);

    private static ParameterSpec Norm(string name, long size) => new(name, [size], [size], false, ParameterStart.One);

    private static ParameterSpec Bias(string name, long size) => new(name, [size], [size], false, ParameterStart.Zero);
}
