using System.Text.Json;
using System.Text.Json.Nodes;
using Rlhf.Core;

namespace Rlhf.Models;

/// <summary>
/// The shape of a Llama model: Hugging Face's <c>config.json</c>, read strictly. What the trunk cannot compute faithfully is refused by
/// name, never ignored. Keys that do not touch the computation are kept in <see cref="Extra"/> and written back.
/// </summary>
public sealed record LlamaConfig
{
    public const string FileName = "config.json";

    /// <summary>"llama", or "qwen2": the same trunk with a bias on q, k and v but none on o.</summary>
    public string ModelType { get; init; } = "llama";

    public required int VocabSize { get; init; }
    public required int HiddenSize { get; init; }
    public required int IntermediateSize { get; init; }
    public required int NumHiddenLayers { get; init; }
    public required int NumAttentionHeads { get; init; }
    public required int NumKeyValueHeads { get; init; }

    /// <summary>Even: rotary positions turn pairs (i, i + HeadDim/2).</summary>
    public required int HeadDim { get; init; }

    public double RmsNormEps { get; init; } = 1e-5;
    public double RopeTheta { get; init; } = 10000;
    public int MaxPositionEmbeddings { get; init; } = 2048;

    /// <summary>True: the logits use the transposed embedding, there is no <c>lm_head.weight</c>.</summary>
    public bool TieWordEmbeddings { get; init; }

    /// <summary>True: q, k and v have a bias (and o too where <see cref="ModelType"/> is "llama").</summary>
    public bool AttentionBias { get; init; }

    public int? BosTokenId { get; init; }

    /// <summary>Any of these ends a response; empty when the model has none.</summary>
    public IReadOnlyList<int> EosTokenIds { get; init; } = [];

    public int? PadTokenId { get; init; }

    /// <summary>"float32", "float16" or "bfloat16": what the folder's weights are stored as. In memory they are float32.</summary>
    public string TorchDtype { get; init; } = "float32";

    public ModelHead Head { get; init; } = ModelHead.LanguageModel;

    /// <summary>Reward models only: what the score is taken from.</summary>
    public RewardPooling RewardPooling { get; init; } = RewardPooling.Last;

    /// <summary>Reward models only: reward = gain · score + bias.</summary>
    public double RewardGain { get; init; } = 1;

    /// <summary>Reward models only: reward = gain · score + bias.</summary>
    public double RewardBias { get; init; }

    /// <summary>Reward models only: T of σ(reward / T), or of σ((reward of a − reward of b) / T), that is calibrated; 1 where nobody measured it.</summary>
    public double RewardTemperature { get; init; } = 1;

    /// <summary>Reward models only: the longest text, in tokens, of its training, which is what it reads by default; null: as many as it has positions.</summary>
    public int? RewardMaxLength { get; init; }

    /// <summary>True: a trained <c>score.bias</c> [1] is stored beside <c>score.weight</c>.</summary>
    public bool ScoreBias { get; init; }

    /// <summary>Keys of the file that the trunk does not need, kept for rewriting. Never changed in place.</summary>
    public JsonObject Extra { get; init; } = [];

    /// <summary>True: <c>o_proj</c> has a bias.</summary>
    public bool AttentionOutputBias => AttentionBias && ModelType == "llama";

    /// <summary>q width: heads × head size.</summary>
    public int QueryWidth => NumAttentionHeads * HeadDim;

    /// <summary>k (and v) width: key/value heads × head size.</summary>
    public int KeyValueWidth => NumKeyValueHeads * HeadDim;

    /// <summary>Query heads that share one key/value head.</summary>
    public int QueriesPerKeyValue => NumAttentionHeads / NumKeyValueHeads;

    /// <summary>The name that Hugging Face gives the model class.</summary>
    public string Architecture => (ModelType == "qwen2" ? "Qwen2" : "Llama")
        + (Head == ModelHead.Scalar ? "ForSequenceClassification" : "ForCausalLM");

    /// <summary>Reads <c>config.json</c> of a model folder.</summary>
    /// <exception cref="BadModelException">The folder or file is missing, is not JSON, or describes a model that cannot be computed.</exception>
    public static LlamaConfig Load(string folder)
    {
        string path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
            throw new BadModelException($"{path}: file not found; a Hugging Face model folder has config.json, *.safetensors and tokenizer.json.");
        return FromJson(File.ReadAllText(path), path);
    }

    /// <summary>Reads the text of a <c>config.json</c>; <paramref name="where"/> names it in messages.</summary>
    /// <exception cref="BadModelException">Not JSON, or a model that cannot be computed. Every problem found is in the message.</exception>
    public static LlamaConfig FromJson(string json, string where = FileName)
    {
        JsonNode? root;
        try
        {
            root = JsonNode.Parse(json, documentOptions: new JsonDocumentOptions { AllowDuplicateProperties = false });
            _ = root?.ToJsonString(); // escapes are unchecked until then, and keys that are only kept would fail when a trained model is saved
        }
        catch (JsonException e)
        {
            throw new BadModelException($"{where}: not valid JSON ({e.Message}).", e);
        }
        catch (InvalidOperationException e)
        {
            throw new BadModelException($"{where}: a text holds half of a surrogate pair (\\ud800 to \\udfff alone), which is no character; the file is damaged. Copy it again from where the model was trained.", e);
        }

        return new LlamaConfigReader(root as JsonObject ?? throw new BadModelException($"{where}: found no JSON object."), where).Read();
    }

    /// <summary>The text of a <c>config.json</c>: keys sorted, so that equal configurations give equal bytes.</summary>
    public string ToJson() => LlamaConfigWriter.Write(this);

    /// <summary>Writes <c>config.json</c> into a folder that exists.</summary>
    public void Save(string folder) => WholeFile.WriteAllText(Path.Combine(folder, FileName), ToJson());

    /// <summary>What is wrong with the numbers; empty when nothing is.</summary>
    public IReadOnlyList<string> Problems() => LlamaConfigRules.Check(this);

    /// <summary>Throws when <see cref="Problems"/> finds any.</summary>
    /// <exception cref="BadModelException">All of them, one a line.</exception>
    public LlamaConfig Validated(string where = FileName)
    {
        IReadOnlyList<string> problems = Problems();
        return problems.Count == 0 ? this : throw new BadModelException(string.Join('\n', problems.Select(p => $"{where}: {p}")));
    }
}
