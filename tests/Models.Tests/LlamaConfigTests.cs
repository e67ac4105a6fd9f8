using System.Text.Json.Nodes;
using NUnit.Framework;
using Rlhf.Core;

namespace Rlhf.Models.Tests;

public sealed class LlamaConfigTests
{
    private const string Valid = """
        {"architectures":["LlamaForCausalLM"],"model_type":"llama","vocab_size":512,"hidden_size":64,"intermediate_size":172,
         "num_hidden_layers":5,"num_attention_heads":8,"num_key_value_heads":4,"rms_norm_eps":1e-05,"tie_word_embeddings":true,
         "bos_token_id":1,"eos_token_id":2,"hidden_act":"silu","initializer_range":0.02,"pretraining_tp":1}
        """;

    [Test]
    public void Reads_the_trained_model()
    {
        LlamaConfig config = LlamaConfig.Load(Checkout.Shared("models/stories260K"));
        Assert.Multiple(() =>
        {
            Assert.That(config.HeadDim, Is.EqualTo(8), "64 / 8 where head_dim is absent");
            Assert.That((config.QueryWidth, config.KeyValueWidth, config.QueriesPerKeyValue), Is.EqualTo((64, 32, 2)));
            Assert.That(config.EosTokenIds, Is.EqualTo(new[] { 2 }));
            Assert.That(config.RopeTheta, Is.EqualTo(10000));
            Assert.That(config.Head, Is.EqualTo(ModelHead.LanguageModel));
        });
    }

    [Test]
    public void Writing_and_reading_gives_the_same_text_and_keeps_unknown_keys()
    {
        string text = LlamaConfig.FromJson(Valid).ToJson();
        Assert.That(text, Does.Contain("\"initializer_range\": 0.02").And.Contain("\"pretraining_tp\": 1"));
        Assert.That(LlamaConfig.FromJson(text).ToJson(), Is.EqualTo(text));
    }

    [TestCase("rope_scaling", """{"type":"linear","factor":2}""", "rope_scaling is \"linear\"; scaled rotary positions cannot be computed, only plain ones (null or \"default\").")]
    [TestCase("rope_parameters", """{"rope_type":"llama3","factor":8}""", "rope_parameters is \"llama3\"; scaled rotary positions cannot be computed, only plain ones (null or \"default\").")]
    [TestCase("architectures", """["MistralForCausalLM"]""", "architectures is \"MistralForCausalLM\"; only LlamaForCausalLM and LlamaForSequenceClassification can be computed for model_type llama.")]
    [TestCase("model_type", "\"gpt2\"", "model_type is \"gpt2\"; only llama and qwen2 can be computed.")]
    [TestCase("num_key_value_heads", "3", "num_key_value_heads is 3; it must divide num_attention_heads (8).")]
    [TestCase("num_attention_heads", "6", "num_attention_heads is 6; without a head_dim key it must divide hidden_size (64).")]
    [TestCase("head_dim", "7", "head_dim is 7; it must be even")]
    [TestCase("vocab_size", "0", "vocab_size is 0; it must be a positive whole number.")]
    [TestCase("vocab_size", "\"many\"", "vocab_size is \"many\"; it must be a whole number.")]
    [TestCase("hidden_size", "null", "hidden_size is missing; it must be a positive whole number.")]
    [TestCase("rms_norm_eps", "-1", "rms_norm_eps is -1; it must be positive.")]
    [TestCase("hidden_act", "\"gelu\"", "hidden_act is \"gelu\"; only silu can be computed.")]
    [TestCase("mlp_bias", "true", "mlp_bias is true; a bias in the MLP cannot be computed.")]
    [TestCase("attention_dropout", "0.1", "attention_dropout is 0.1; dropout cannot be computed. Set it to 0.")]
    [TestCase("torch_dtype", "\"int8\"", "torch_dtype is \"int8\"; it must be one of float32, float16, bfloat16.")]
    [TestCase("eos_token_id", "[2, 512]", "eos_token_id is 512; it must be below vocab_size (512) and not negative.")]
    [TestCase("quantization_config", "{}", "quantization_config is set; quantised weights cannot be trained.")]
    public void Refuses_by_name(string key, string value, string message)
    {
        JsonObject root = JsonNode.Parse(Valid)!.AsObject();
        root[key] = JsonNode.Parse(value);
        BadModelException error = Assert.Throws<BadModelException>(() => LlamaConfig.FromJson(root.ToJsonString(), "m/config.json"))!;
        Assert.That(error.Message, Does.Contain("m/config.json: " + message));
    }

    [Test]
    public void Names_every_problem_at_once()
    {
        string text = Valid.Replace("\"vocab_size\":512", "\"vocab_size\":-1").Replace("\"num_hidden_layers\":5", "\"num_hidden_layers\":0");
        BadModelException error = Assert.Throws<BadModelException>(() => LlamaConfig.FromJson(text))!;
        Assert.That(error.Message.Split('\n'), Is.SupersetOf(new[]
        {
            "config.json: vocab_size is -1; it must be a positive whole number.",
            "config.json: num_hidden_layers is 0; it must be a positive whole number.",
        }));
    }

    [Test]
    public void Qwen2_has_a_bias_on_q_k_v_and_none_on_o()
    {
        LlamaConfig config = LlamaConfig.FromJson(Valid.Replace("Llama", "Qwen2").Replace("\"llama\"", "\"qwen2\""));
        Assert.That((config.AttentionBias, config.AttentionOutputBias, config.Architecture), Is.EqualTo((true, false, "Qwen2ForCausalLM")));
        LlamaConfig again = LlamaConfig.FromJson(config.ToJson());
        Assert.That((again.AttentionBias, again.AttentionOutputBias, again.ModelType), Is.EqualTo((true, false, "qwen2")));
    }

    [Test]
    public void Reads_a_list_of_eos_ids_and_the_newer_keys()
    {
        JsonObject root = JsonNode.Parse(Valid)!.AsObject();
        root["eos_token_id"] = new JsonArray(2, 3);
        root["dtype"] = "bfloat16";
        root["rope_parameters"] = new JsonObject { ["rope_theta"] = 500000.0, ["rope_type"] = "default" };
        root["pad_token_id"] = -1;
        LlamaConfig config = LlamaConfig.FromJson(root.ToJsonString());
        Assert.That(config.EosTokenIds, Is.EqualTo(new[] { 2, 3 }));
        Assert.That((config.TorchDtype, config.RopeTheta, config.PadTokenId), Is.EqualTo(("bfloat16", 500000.0, (int?)null)));
        Assert.That(LlamaConfig.FromJson(config.ToJson()).EosTokenIds, Is.EqualTo(new[] { 2, 3 }));
    }

    [Test]
    public void A_reward_model_keeps_pooling_gain_and_bias()
    {
        LlamaConfig config = LlamaConfig.FromJson(Valid) with
        {
            Head = ModelHead.Scalar, RewardPooling = RewardPooling.Mean, RewardGain = 0.25, RewardBias = -1.5, ScoreBias = true, RewardMaxLength = 7,
        };
        string text = config.ToJson();
        Assert.That(text, Does.Contain("LlamaForSequenceClassification").And.Contain("\"num_labels\": 1").And.Contain("\"rlhf_pooling\": \"mean\""));
        LlamaConfig again = LlamaConfig.FromJson(text);
        Assert.That((again.Head, again.RewardPooling, again.RewardGain, again.RewardBias, again.ScoreBias, again.RewardMaxLength),
            Is.EqualTo((ModelHead.Scalar, RewardPooling.Mean, 0.25, -1.5, true, 7)));
        Assert.That((config with { RewardMaxLength = config.MaxPositionEmbeddings + 1 }).Problems().Single(), Does.Contain("rlhf_max_length"));
        LlamaConfig policy = LlamaConfig.FromJson((config with { Head = ModelHead.LanguageModelWithValue }).ToJson());
        Assert.That(policy.Head, Is.EqualTo(ModelHead.LanguageModelWithValue));
    }

    [Test]
    public void A_missing_or_broken_file_is_a_bad_model()
    {
        using var folder = new TemporaryFolder();
        Assert.That(Assert.Throws<BadModelException>(() => LlamaConfig.Load(folder.Path))!.Message,
            Is.EqualTo($"{folder.File("config.json")}: file not found; a Hugging Face model folder has config.json, *.safetensors and tokenizer.json."));
        File.WriteAllText(folder.File("config.json"), "{\"vocab_size\": 1, \"vocab_size\": 2}");
        Assert.That(Assert.Throws<BadModelException>(() => LlamaConfig.Load(folder.Path))!.Message, Does.StartWith($"{folder.File("config.json")}: not valid JSON"));
        foreach (string line in (string[])["\"note\": \"\\ud800\"", "\"\\udc00\": 1", "\"notes\": [\"\\ud83d\"]"])
        {
            File.WriteAllText(folder.File("config.json"), "{" + line + "," + Valid[1..]);
            Assert.That(Assert.Throws<BadModelException>(() => LlamaConfig.Load(folder.Path), line)!.Message, Does.StartWith($"{folder.File("config.json")}: a text holds half of a surrogate pair"));
        }

        File.WriteAllText(folder.File("config.json"), "[]");
        Assert.That(Assert.Throws<BadModelException>(() => LlamaConfig.Load(folder.Path))!.Message, Does.EndWith("found no JSON object."));
    }
}
