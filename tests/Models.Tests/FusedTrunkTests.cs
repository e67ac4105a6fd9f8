using NUnit.Framework;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Models.Tests;

/// <summary>The path with its own backward pass against the one that torch differentiates.</summary>
public sealed class FusedTrunkTests
{
    /// <summary>Of the largest number: float32 sums in another order through three layers.</summary>
    private const double Relative = 2e-5;

    private static LlamaConfig Config(int heads, int keyHeads, int headDim, int inner) => TestModels.Tiny with
    {
        HiddenSize = 24, IntermediateSize = inner, NumHiddenLayers = 3, NumAttentionHeads = heads, NumKeyValueHeads = keyHeads, HeadDim = headDim, MaxPositionEmbeddings = 64,
    };

    [TestCase(1, 1, 4, 2, 8, 40)]
    [TestCase(3, 5, 4, 2, 8, 36)]
    [TestCase(2, 16, 3, 3, 16, 40)]
    [TestCase(2, 17, 4, 1, 24, 40)]
    [TestCase(3, 50, 2, 1, 32, 13)]
    public void Hidden_states_and_every_gradient_agree(int batch, int time, int heads, int keyHeads, int headDim, int inner)
    {
        using DisposeScope scope = NewDisposeScope();
        using LlamaModel model = TestModels.Create(Config(heads, keyHeads, headDim, inner), scale: 8);
        Tensor ids = arange(batch * time, ScalarType.Int64).mul(7).add(3).remainder(11).view(batch, time);
        Tensor direction = arange(batch * time * 24, ScalarType.Float32).mul(0.37f).sin().view(batch, time, 24);
        Tensor expected = model.HiddenByOperators(ids);
        expected.mul(direction).sum().backward();
        Tensor expectedGradient = model.Parameters.Gradient!.clone();
        using (no_grad()) model.Parameters.Gradient!.zero_();
        Tensor hidden = model.Hidden(ids);
        Assert.That(hidden.requires_grad);
        hidden.mul(direction).sum().backward();
        Assert.That(TestModels.MaxDifference(hidden.detach(), expected.detach()), Is.LessThan(Relative * expected.detach().abs().max().item<float>()));
        foreach (ParameterPlace place in model.Parameters.Table)
        {
            Tensor want = expectedGradient.narrow(0, place.Offset, place.Count), have = model.Parameters.Gradient!.narrow(0, place.Offset, place.Count);
            float largest = want.abs().max().item<float>();
            if (!(time == 1 && (place.Name.Contains("q_proj") || place.Name.Contains("k_proj")))) // one position: attention is the value alone
                Assert.That(largest, Is.GreaterThan(1e-4), place.Name);
            Assert.That(TestModels.MaxDifference(have, want), Is.LessThan(Relative * Math.Max(1, largest)), place.Name);
        }

        using (no_grad()) Assert.That(TestModels.MaxDifference(model.Hidden(ids), hidden.detach()), Is.Zero, "the same numbers without recording");
    }

    [Test]
    public void Gradients_add_up_over_micro_batches_that_are_open_at_once()
    {
        using DisposeScope scope = NewDisposeScope();
        using LlamaModel model = TestModels.Create(Config(4, 2, 8, 40));
        Tensor a = TestModels.Ids([1, 2, 3, 4, 5, 6]), b = TestModels.Ids([7, 8, 9]);
        model.HiddenByOperators(a).pow(2).narrow(2, 0, 9).sum().backward();
        model.HiddenByOperators(b).pow(2).narrow(2, 0, 9).sum().backward();
        Tensor expected = model.Parameters.Gradient!.clone();
        using (no_grad()) model.Parameters.Gradient!.zero_();
        Tensor first = model.Hidden(a).pow(2).narrow(2, 0, 9).sum(), second = model.Hidden(b).pow(2).narrow(2, 0, 9).sum();
        first.backward();
        second.backward();
        Assert.That(TestModels.MaxDifference(model.Parameters.Gradient!, expected), Is.LessThan(Relative * expected.abs().max().item<float>()));
    }

    /// <summary>The kernels give the same bits with any number of threads; the BLAS may sum in another order.</summary>
    [Test]
    public void More_threads_give_the_same_gradients()
    {
        using DisposeScope scope = NewDisposeScope();
        int threads = get_num_threads();
        try
        {
            Tensor one = Gradient(1), three = Gradient(3);
            Assert.That(TestModels.MaxDifference(one, three), Is.LessThan(Relative * one.abs().max().item<float>()));
        }
        finally
        {
            set_num_threads(threads);
        }

        static Tensor Gradient(int threads)
        {
            set_num_threads(threads);
            using LlamaModel model = TestModels.Create(Config(4, 2, 8, 40));
            model.Hidden(arange(300, ScalarType.Int64).remainder(11).view(10, 30)).pow(2).narrow(2, 0, 9).sum().backward();
            return model.Parameters.Gradient!.clone();
        }
    }

    [Test]
    public void No_tensor_stays_behind_with_or_without_a_backward_pass()
    {
        using LlamaModel model = TestModels.Create(Config(4, 2, 8, 40));
        Step(model, true);
        long before = Tensor.TotalCount;
        for (int i = 0; i < 3; i++) Step(model, true);
        Assert.That(Tensor.TotalCount, Is.EqualTo(before));
        Step(model, false);
        Assert.That(Tensor.TotalCount, Is.LessThanOrEqualTo(before), "the graph that was dropped took its workspace along");

        static void Step(LlamaModel model, bool backward)
        {
            using DisposeScope scope = NewDisposeScope();
            Tensor loss = model.Hidden(TestModels.Ids([1, 2, 3, 4, 5])).pow(2).narrow(2, 0, 9).sum();
            if (backward) loss.backward();
        }
    }

    [Test]
    public void A_second_backward_pass_and_a_foreign_token_are_refused()
    {
        using DisposeScope scope = NewDisposeScope();
        using LlamaModel model = TestModels.Create(Config(4, 2, 8, 40));
        Tensor loss = model.Hidden(TestModels.Ids([1, 2, 3])).narrow(2, 0, 9).sum();
        loss.backward(retain_graph: true);
        Assert.That(Assert.Catch(() => loss.backward())!.Message, Does.Contain("can be handed to backward once"));
        Assert.That(Assert.Throws<ArgumentException>(() => model.Hidden(TestModels.Ids([1, 11])))!.Message,
            Does.StartWith("Token 11 at place 1 is not in 0..10, the model's vocabulary."));
    }

    [Test]
    [Explicit("a measurement: tokens/s of forward + backward, one thread")]
    public void Speed([Values(true, false)] bool fused, [Values(true, false)] bool withLogits)
    {
        int threads = get_num_threads();
        set_num_threads(1);
        LlamaConfig config = new()
        {
            VocabSize = 4096, HiddenSize = 256, IntermediateSize = 688, NumHiddenLayers = 4, NumAttentionHeads = 8, NumKeyValueHeads = 4, HeadDim = 32, TieWordEmbeddings = true,
        };
        using LlamaModel model = LlamaModel.Create(config, 1);
        using Tensor ids = randint(4096, [16, 256]);
        double best = double.MaxValue, cpu = double.MaxValue;
        for (int i = 0; i < 5; i++)
        {
            using DisposeScope scope = NewDisposeScope();
            TimeSpan before = System.Diagnostics.Process.GetCurrentProcess().TotalProcessorTime;
            var watch = System.Diagnostics.Stopwatch.StartNew();
            Tensor hidden = fused ? model.Hidden(ids) : model.HiddenByOperators(ids);
            if (withLogits) model.Logits(hidden).log_softmax(-1).narrow(2, 0, 1).mean().backward();
            else hidden.backward([ones_like(hidden)]);
            best = Math.Min(best, watch.Elapsed.TotalSeconds);
            cpu = Math.Min(cpu, (System.Diagnostics.Process.GetCurrentProcess().TotalProcessorTime - before).TotalSeconds);
        }

        set_num_threads(threads);
        TestContext.Out.WriteLine($"{model.Parameters.Count:N0} parameters, fused {fused}, logits {withLogits}: {4096 / best:N0} tokens/s by the clock, {4096 / cpu:N0} tokens per second of processor time");
    }
}
