using NUnit.Framework;
using Rlhf.Core;
using static TorchSharp.torch;

namespace Rlhf.Models.Tests;

public sealed class ModelFolderTests
{
    [TestCase(ModelHead.LanguageModel, true)]
    [TestCase(ModelHead.LanguageModel, false)]
    [TestCase(ModelHead.LanguageModelWithValue, true)]
    [TestCase(ModelHead.Scalar, false)]
    public void Float32_comes_back_bit_for_bit(ModelHead head, bool tied)
    {
        using var folder = new TemporaryFolder();
        LlamaConfig config = TestModels.Tiny with { Head = head, TieWordEmbeddings = tied, ScoreBias = true, AttentionBias = true };
        using LlamaModel model = TestModels.Create(config);
        model.Save(folder.Path, maximumShardBytes: tied ? 700 : long.MaxValue);
        Assert.That(File.Exists(folder.File(SafetensorsReader.IndexFile)), Is.EqualTo(tied), "sharded");
        using LlamaModel again = LlamaModel.Load(folder.Path);
        Assert.That(again.Config.ToJson(), Is.EqualTo(config.ToJson()));
        Assert.That(again.Parameters.Hash(), Is.EqualTo(model.Parameters.Hash()));
    }

    [Test]
    public void The_trained_model_is_rewritten_with_the_same_weights_and_its_tokenizer()
    {
        string source = Checkout.Shared("models/stories260K");
        using var folder = new TemporaryFolder();
        using LlamaModel model = LlamaModel.Load(source);
        model.Save(folder.Path, tokenizerFrom: source);
        using SafetensorsReader a = SafetensorsReader.Open(source), b = SafetensorsReader.Open(folder.Path);
        Assert.That(b.Entries.Keys, Is.EquivalentTo(a.Entries.Keys));
        foreach (string name in a.Entries.Keys)
        {
            Assert.That(b.Entry(name).Shape, Is.EqualTo(a.Entry(name).Shape), name);
            Assert.That(b.Bytes(name).SequenceEqual(a.Bytes(name)), name);
        }

        Assert.That(File.ReadAllBytes(folder.File("tokenizer.json")), Is.EqualTo(File.ReadAllBytes(Path.Combine(source, "tokenizer.json"))));
    }

    [TestCase(SafetensorsType.F16)]
    [TestCase(SafetensorsType.BF16)]
    public void Half_formats_are_the_rounded_weights(SafetensorsType type)
    {
        using var folder = new TemporaryFolder();
        using LlamaModel model = TestModels.Create(TestModels.Tiny);
        model.Save(folder.Path, type);
        using LlamaModel again = LlamaModel.Load(folder.Path);
        Assert.That(again.Config.TorchDtype, Is.EqualTo(type.TorchDtype()));
        foreach (ParameterPlace place in model.Parameters.Table)
        {
            using Tensor rounded = model.Parameters[place.Name].detach().to(type == SafetensorsType.F16 ? ScalarType.Float16 : ScalarType.BFloat16).to(ScalarType.Float32);
            Assert.That(TestModels.MaxDifference(rounded, again.Parameters[place.Name].detach()), Is.Zero, place.Name);
        }
    }

    [Test]
    public void A_language_model_becomes_a_critic_or_a_reward_model_but_not_the_other_way()
    {
        using var folder = new TemporaryFolder();
        using LlamaModel model = TestModels.Create(TestModels.Tiny);
        model.Save(folder.Path);
        using LlamaModel critic = LlamaModel.Load(folder.Path, ModelHead.LanguageModelWithValue);
        Assert.That(critic.Parameters.Span(LlamaParameters.ValueWeight).ToArray(), Is.All.Zero);
        using LlamaModel reward = LlamaModel.Load(folder.Path, ModelHead.Scalar, configure: c => c with { RewardPooling = RewardPooling.Mean, ScoreBias = true });
        Assert.That(reward.Config.RewardPooling, Is.EqualTo(RewardPooling.Mean));
        Assert.That(reward.Parameters.Span(LlamaParameters.ScoreWeight).ToArray(), Has.Some.Not.Zero);
        Assert.That(reward.Parameters.Span(LlamaParameters.FinalNorm).ToArray(), Is.EqualTo(model.Parameters.Span(LlamaParameters.FinalNorm).ToArray()));
        reward.Save(folder.Path);
        Assert.That(Assert.Throws<BadModelException>(() => LlamaModel.Load(folder.Path, ModelHead.LanguageModel))!.Message,
            Is.EqualTo($"{folder.Path}: it holds a reward model (LlamaForSequenceClassification); a language model is expected. It has no head over the vocabulary."));
    }

    [Test]
    public void Weights_of_another_shape_are_refused_by_name()
    {
        using var folder = new TemporaryFolder();
        using LlamaModel model = TestModels.Create(TestModels.Tiny);
        model.Save(folder.Path);
        long before = Tensor.TotalCount;
        (model.Config with { IntermediateSize = 13 }).Save(folder.Path);
        Assert.That(Assert.Throws<BadModelException>(() => LlamaModel.Load(folder.Path))!.Message,
            Is.EqualTo($"{folder.File("model.safetensors")}: tensor model.layers.0.mlp.gate_proj.weight: shape is [12, 8]; config.json asks for [13, 8]."));
        (model.Config with { NumHiddenLayers = 3 }).Save(folder.Path);
        Assert.That(Assert.Throws<BadModelException>(() => LlamaModel.Load(folder.Path))!.Message,
            Is.EqualTo($"{folder.Path}: tensor model.layers.2.input_layernorm.weight is missing; the weights do not belong to this config.json, or a shard is missing."));
        (model.Config with { NumHiddenLayers = 1 }).Save(folder.Path);
        Assert.That(Assert.Throws<BadModelException>(() => LlamaModel.Load(folder.Path))!.Message,
            Does.StartWith($"{folder.File("model.safetensors")}: tensor model.layers.1.input_layernorm.weight: the architecture that config.json describes has no such parameter"));
        Assert.That(Tensor.TotalCount, Is.LessThanOrEqualTo(before), "a failed load frees everything");
    }

    [Test]
    public void A_weight_that_is_not_finite_is_refused_by_name()
    {
        using var folder = new TemporaryFolder();
        using LlamaModel model = TestModels.Create(TestModels.Tiny);
        model.Parameters.Span(LlamaParameters.FinalNorm)[3] = float.NaN;
        model.Save(folder.Path);
        Assert.That(Assert.Throws<BadModelException>(() => LlamaModel.Load(folder.Path))!.Message,
            Is.EqualTo($"{folder.File("model.safetensors")}: tensor model.norm.weight: number 3 is NaN; weights must be finite."));
    }

    [Test]
    public void A_clone_has_weights_of_its_own()
    {
        using LlamaModel model = TestModels.Create(TestModels.Tiny);
        using LlamaModel clone = model.Clone(trainable: false);
        string hash = model.Parameters.Hash();
        Assert.That(clone.Parameters.Hash(), Is.EqualTo(hash));
        model.Parameters.Span(LlamaParameters.FinalNorm)[0] += 1;
        Assert.That(clone.Parameters.Hash(), Is.EqualTo(hash));
        Assert.That(model.Parameters.Hash(), Is.Not.EqualTo(hash));
        Assert.That(clone.Parameters.Gradient, Is.Null);
    }
}
