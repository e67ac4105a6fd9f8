using System.Text.Json;
using System.Text.Json.Nodes;
using Rlhf.Core;

namespace Rlhf.Models;

/// <summary>Reads Hugging Face's keys into a <see cref="LlamaConfig"/>, collecting every problem before it throws.</summary>
internal sealed class LlamaConfigReader(JsonObject root, string where)
{
    /// <summary>Keys that <see cref="LlamaConfigWriter"/> writes itself; all others go to <see cref="LlamaConfig.Extra"/>.</summary>
    private static readonly HashSet<string> Known =
    [
        "architectures", "model_type", "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
        "num_key_value_heads", "head_dim", "rms_norm_eps", "rope_theta", "rope_parameters", "rope_scaling", "max_position_embeddings",
        "tie_word_embeddings", "attention_bias", "bos_token_id", "eos_token_id", "pad_token_id", "torch_dtype", "dtype", "hidden_act",
        "num_labels", "id2label", "label2id", "rlhf_value_head", "rlhf_pooling", "rlhf_reward_gain", "rlhf_reward_bias", "rlhf_reward_temperature", "rlhf_max_length", "rlhf_score_bias",
    ];

    private readonly List<string> _problems = [];

    public LlamaConfig Read()
    {
        string modelType = Text("model_type") ?? "llama";
        ModelHead head = Head(modelType);
        if (_problems.Count > 0) throw Failure(); // another architecture: its other keys mean nothing here
        RefuseUnsupported();
        int hidden = Required("hidden_size"), heads = Required("num_attention_heads");
        var config = new LlamaConfig
        {
            ModelType = modelType,
            Head = head,
            VocabSize = Required("vocab_size"),
            HiddenSize = hidden,
            IntermediateSize = Required("intermediate_size"),
            NumHiddenLayers = Required("num_hidden_layers"),
            NumAttentionHeads = heads,
            NumKeyValueHeads = Whole("num_key_value_heads") ?? heads,
            HeadDim = Whole("head_dim") ?? DerivedHeadDim(hidden, heads),
            RmsNormEps = Number("rms_norm_eps") ?? 1e-6,
            RopeTheta = Theta(),
            MaxPositionEmbeddings = Whole("max_position_embeddings") ?? 2048,
            TieWordEmbeddings = Flag("tie_word_embeddings") ?? false,
            AttentionBias = Flag("attention_bias") ?? (modelType == "qwen2"),
            BosTokenId = Whole("bos_token_id"),
            EosTokenIds = WholeOrList("eos_token_id"),
            PadTokenId = PadId(),
            TorchDtype = Text("torch_dtype") ?? Text("dtype") ?? "float32",
            RewardPooling = Pooling(),
            RewardGain = Number("rlhf_reward_gain") ?? 1,
            RewardBias = Number("rlhf_reward_bias") ?? 0,
            RewardTemperature = Number("rlhf_reward_temperature") ?? 1,
            RewardMaxLength = Whole("rlhf_max_length"),
            ScoreBias = Flag("rlhf_score_bias") ?? false,
            Extra = Extra(),
        };
        if (_problems.Count == 0) _problems.AddRange(config.Problems());
        return _problems.Count == 0 ? config : throw Failure();
    }

    private ModelHead Head(string modelType)
    {
        if (modelType is not ("llama" or "qwen2"))
            _problems.Add($"model_type is \"{modelType}\"; only llama and qwen2 can be computed.");
        if (root["architectures"] is not JsonArray { Count: > 0 } list)
            return Flag("rlhf_value_head") == true ? ModelHead.LanguageModelWithValue : ModelHead.LanguageModel;
        string name = list.Count == 1 ? AsText(list[0]) ?? "?" : string.Join(", ", list.Select(n => n?.ToJsonString()));
        string family = modelType == "qwen2" ? "Qwen2" : "Llama";
        if (name == family + "ForCausalLM")
            return Flag("rlhf_value_head") == true ? ModelHead.LanguageModelWithValue : ModelHead.LanguageModel;
        if (name == family + "ForSequenceClassification") return ModelHead.Scalar;
        _problems.Add($"architectures is \"{name}\"; only {family}ForCausalLM and {family}ForSequenceClassification can be computed for model_type {modelType}.");
        return ModelHead.LanguageModel;
    }

    private void RefuseUnsupported()
    {
        if (Text("hidden_act") is { } act && act != "silu")
            _problems.Add($"hidden_act is \"{act}\"; only silu can be computed.");
        RefuseScaling("rope_scaling");
        RefuseScaling("rope_parameters");
        if (Flag("mlp_bias") == true) _problems.Add("mlp_bias is true; a bias in the MLP cannot be computed.");
        if (Flag("use_sliding_window") == true) _problems.Add("use_sliding_window is true; only full causal attention can be computed.");
        if (root["quantization_config"] is not null)
            _problems.Add("quantization_config is set; quantised weights cannot be trained. Use the float32, float16 or bfloat16 model.");
        if (Number("attention_dropout") is { } dropout && dropout != 0)
            _problems.Add(FormattableString.Invariant($"attention_dropout is {dropout}; dropout cannot be computed. Set it to 0."));
        if (Number("partial_rotary_factor") is { } factor && factor != 1)
            _problems.Add(FormattableString.Invariant($"partial_rotary_factor is {factor}; only full rotary positions (1) can be computed."));
        if (Whole("num_labels") is { } labels && labels != 1 && root["architectures"]?.ToJsonString().Contains("SequenceClassification", StringComparison.Ordinal) == true)
            _problems.Add($"num_labels is {labels}; a reward model has 1.");
        if (root["id2label"] is JsonObject names && names.Count != 1 && root["num_labels"] is null
            && root["architectures"]?.ToJsonString().Contains("SequenceClassification", StringComparison.Ordinal) == true)
            _problems.Add($"id2label names {names.Count} labels; a reward model has 1.");
    }

    private void RefuseScaling(string key)
    {
        if (root[key] is not JsonObject scaling) return;
        string type = AsText(scaling["rope_type"]) ?? AsText(scaling["type"]) ?? "default";
        if (type != "default") _problems.Add($"{key} is \"{type}\"; scaled rotary positions cannot be computed, only plain ones (null or \"default\").");
    }

    private double Theta()
    {
        if (Number("rope_theta") is { } theta) return theta;
        if (root["rope_parameters"] is JsonObject parameters && parameters["rope_theta"] is JsonValue value && value.TryGetValue(out double nested)) return nested;
        return 10000;
    }

    private int DerivedHeadDim(int hidden, int heads)
    {
        if (heads <= 0 || hidden <= 0) return 2; // reported already or by the rules
        if (hidden % heads != 0)
            _problems.Add($"num_attention_heads is {heads}; without a head_dim key it must divide hidden_size ({hidden}).");
        return hidden / heads;
    }

    private int? PadId()
    {
        int? id = Whole("pad_token_id");
        return id == -1 ? null : id; // older files write -1 for none
    }

    private RewardPooling Pooling()
    {
        string name = Text("rlhf_pooling") ?? "last";
        if (name is not ("last" or "mean")) _problems.Add($"rlhf_pooling is \"{name}\"; it must be last or mean.");
        return name == "mean" ? RewardPooling.Mean : RewardPooling.Last;
    }

    private JsonObject Extra()
    {
        var extra = new JsonObject();
        foreach ((string key, JsonNode? value) in root)
        {
            if (!Known.Contains(key)) extra[key] = value?.DeepClone();
        }

        return extra;
    }

    private int Required(string key)
    {
        if (root[key] is null)
        {
            _problems.Add($"{key} is missing; it must be a positive whole number.");
            return 0;
        }

        return Whole(key) ?? 0;
    }

    private int? Whole(string key)
    {
        if (root[key] is not { } node) return null;
        if (node is JsonValue value && value.TryGetValue(out int number)) return number;
        _problems.Add($"{key} is {node.ToJsonString()}; it must be a whole number.");
        return null;
    }

    private List<int> WholeOrList(string key)
    {
        if (root[key] is not JsonArray array) return Whole(key) is { } one ? [one] : [];
        List<int> ids = [];
        foreach (JsonNode? node in array)
        {
            if (node is JsonValue value && value.TryGetValue(out int id)) ids.Add(id);
            else _problems.Add($"{key} is {array.ToJsonString()}; it must be a whole number or a list of them.");
        }

        return ids;
    }

    private double? Number(string key)
    {
        if (root[key] is not { } node) return null;
        if (node is JsonValue value && value.TryGetValue(out double number)) return number;
        _problems.Add($"{key} is {node.ToJsonString()}; it must be a number.");
        return null;
    }

    private bool? Flag(string key)
    {
        if (root[key] is not { } node) return null;
        if (node is JsonValue value && value.TryGetValue(out bool flag)) return flag;
        _problems.Add($"{key} is {node.ToJsonString()}; it must be true or false.");
        return null;
    }

    private string? Text(string key)
    {
        if (root[key] is not { } node) return null;
        if (AsText(node) is { } text) return text;
        _problems.Add($"{key} is {node.ToJsonString()}; it must be a text.");
        return null;
    }

    private static string? AsText(JsonNode? node) =>
        node is JsonValue value && value.GetValueKind() == JsonValueKind.String ? value.GetValue<string>() : null;

    private BadModelException Failure() => new(string.Join('\n', _problems.Distinct().Select(p => $"{where}: {p}")));
}
