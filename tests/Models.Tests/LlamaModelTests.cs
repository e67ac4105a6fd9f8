using NUnit.Framework;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Models.Tests;

public sealed class LlamaModelTests
{
    /// <summary>float32 sums in another order.</summary>
    private const double Rounding = 2e-5;

    private static readonly long[] Row = [1, 5, 9, 3, 10, 4, 7];

    [Test]
    public void Right_padding_changes_no_real_position()
    {
        using DisposeScope scope = NewDisposeScope();
        using LlamaModel model = TestModels.Create(TestModels.Tiny);
        Tensor alone = model.Hidden(TestModels.Ids(Row));
        Tensor padded = model.Hidden(TestModels.Ids([.. Row, 0, 0, 6])).narrow(1, 0, Row.Length);
        Assert.That(TestModels.MaxDifference(alone, padded), Is.LessThan(Rounding));
    }

    [Test]
    public void A_row_in_a_batch_is_what_it_is_alone()
    {
        using DisposeScope scope = NewDisposeScope();
        using LlamaModel model = TestModels.Create(TestModels.Tiny);
        long[] other = [2, 2, 8, 8, 1, 0, 3];
        Tensor batch = model.Hidden(TestModels.Ids(other, Row, other));
        Assert.That(TestModels.MaxDifference(batch.narrow(0, 1, 1), model.Hidden(TestModels.Ids(Row))), Is.LessThan(Rounding));
    }

    [Test]
    public void A_later_token_cannot_be_seen()
    {
        using DisposeScope scope = NewDisposeScope();
        using LlamaModel model = TestModels.Create(TestModels.Tiny);
        long[] changed = [.. Row[..4], 6, .. Row[5..]];
        Tensor a = model.Hidden(TestModels.Ids(Row)), b = model.Hidden(TestModels.Ids(changed));
        Assert.That(TestModels.MaxDifference(a.narrow(1, 0, 4), b.narrow(1, 0, 4)), Is.LessThan(Rounding));
        Assert.That(TestModels.MaxDifference(a.narrow(1, 4, 1), b.narrow(1, 4, 1)), Is.GreaterThan(0.01), "but an earlier one is");
        Assert.That(TestModels.MaxDifference(a.narrow(1, 6, 1), b.narrow(1, 6, 1)), Is.GreaterThan(0.001));
    }

    [TestCase(4, 2, false, "llama", 100)]
    [TestCase(4, 4, false, "llama", 100)]
    [TestCase(4, 1, false, "llama", 100)]
    [TestCase(4, 2, true, "llama", 100)]
    [TestCase(4, 2, true, "qwen2", 100)]
    [TestCase(4, 2, false, "llama", 500000)]
    public void Agrees_with_a_naive_model_that_repeats_keys_and_values(int heads, int keyHeads, bool bias, string type, double theta)
    {
        using DisposeScope scope = NewDisposeScope();
        LlamaConfig config = TestModels.Tiny with { NumAttentionHeads = heads, NumKeyValueHeads = keyHeads, AttentionBias = bias, ModelType = type, RopeTheta = theta };
        using LlamaModel model = TestModels.Create(config);
        double[,] expected = NaiveLlama.Hidden(model, Row);
        Tensor hidden = model.Hidden(TestModels.Ids(Row));
        for (int t = 0; t < Row.Length; t++)
        {
            for (int d = 0; d < config.HiddenSize; d++)
                Assert.That(hidden[0, t, d].item<float>(), Is.EqualTo(expected[t, d]).Within(Rounding), $"position {t}, number {d}");
        }
    }

    [Test]
    public void Tied_logits_use_the_embedding_and_untied_ones_the_head()
    {
        using DisposeScope scope = NewDisposeScope();
        using LlamaModel tied = TestModels.Create(TestModels.Tiny);
        Tensor hidden = tied.Hidden(TestModels.Ids(Row));
        Assert.That(TestModels.MaxDifference(tied.Logits(hidden), hidden.matmul(tied.Parameters[LlamaParameters.Embedding].t())), Is.Zero);
        using LlamaModel untied = TestModels.Create(TestModels.Tiny with { TieWordEmbeddings = false });
        Assert.That(untied.HeadWeight.shape, Is.EqualTo(new long[] { 8, 11 }));
        hidden = untied.Hidden(TestModels.Ids(Row));
        Assert.That(TestModels.MaxDifference(untied.Logits(hidden), hidden.matmul(untied.Parameters[LlamaParameters.LanguageModelHead])), Is.Zero);
    }

    [Test]
    public void A_new_value_head_says_zero_and_keeps_the_shape_of_its_rows()
    {
        using DisposeScope scope = NewDisposeScope();
        using LlamaModel model = LlamaModel.Create(TestModels.Tiny with { Head = ModelHead.LanguageModelWithValue }, 3);
        Tensor values = model.Values(model.Hidden(TestModels.Ids(Row, Row)));
        Assert.That(values.shape, Is.EqualTo(new long[] { 2, 7 }));
        Assert.That(values.abs().max().item<float>(), Is.Zero);
    }

    [TestCase(RewardPooling.Last)]
    [TestCase(RewardPooling.Mean)]
    public void The_score_pools_real_tokens_only(RewardPooling pooling)
    {
        using DisposeScope scope = NewDisposeScope();
        LlamaConfig config = TestModels.Tiny with { Head = ModelHead.Scalar, RewardPooling = pooling, RewardGain = 0.5, RewardBias = 2, ScoreBias = true };
        using LlamaModel model = TestModels.Create(config);
        Tensor hidden = model.Hidden(TestModels.Ids([.. Row, 0, 0], [.. Row[..3], 0, 0, 0, 0, 0, 0]));
        Tensor score = model.Score(hidden, tensor(new long[] { 7, 3 }));
        Tensor pooled = pooling == RewardPooling.Last ? hidden[1, 2] : hidden[1].narrow(0, 0, 3).mean([0]);
        float raw = pooled.matmul(model.Parameters[LlamaParameters.ScoreWeight]).item<float>() + model.Parameters[LlamaParameters.ScoreBias].item<float>();
        Assert.That(score.shape, Is.EqualTo(new long[] { 2 }));
        Assert.That(score[1].item<float>(), Is.EqualTo((0.5f * raw) + 2).Within(Rounding));
        Assert.That(model.Score(model.Hidden(TestModels.Ids(Row)), tensor(new long[] { 7 }))[0].item<float>(), Is.EqualTo(score[0].item<float>()).Within(Rounding));
    }

    [Test]
    public void More_positions_than_the_model_knows_are_refused()
    {
        using LlamaModel model = LlamaModel.Create(TestModels.Tiny with { MaxPositionEmbeddings = 4 }, 0);
        using Tensor ids = TestModels.Ids(Row);
        Assert.That(Assert.Throws<ArgumentException>(() => model.Hidden(ids))!.Message, Does.StartWith("7 positions are more than max_position_embeddings (4)."));
    }

    [Test]
    public void Forward_and_backward_leave_no_tensor_behind()
    {
        using LlamaModel model = TestModels.Create(TestModels.Tiny);
        Step(model);
        long before = Tensor.TotalCount;
        for (int i = 0; i < 3; i++) Step(model);
        Assert.That(Tensor.TotalCount, Is.EqualTo(before));

        static void Step(LlamaModel model)
        {
            using DisposeScope scope = NewDisposeScope();
            model.Logits(model.Hidden(TestModels.Ids(Row))).log_softmax(-1).sum().backward();
        }
    }
}
