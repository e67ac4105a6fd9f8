using NUnit.Framework;
using Rlhf.Core;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Models.Tests;

public sealed class ParameterStoreTests
{
    private static readonly ParameterSpec[] Two =
    [
        new("a", [2, 3], [3, 2], true, ParameterStart.Zero),
        new("b", [5], [5], false, ParameterStart.Zero),
    ];

    [Test]
    public void Parameters_are_views_of_one_aligned_buffer()
    {
        using var store = new ParameterStore(Two);
        Assert.That(store.Table.Select(p => (p.Name, p.Offset, p.Count)), Is.EqualTo(new[] { ("a", 0L, 6L), ("b", 16L, 5L) }));
        Assert.That((store.Count, store.Flat.numel()), Is.EqualTo((11L, 32L)));
        store.Span("b")[4] = 3;
        Assert.That(store.Flat[20].item<float>(), Is.EqualTo(3));
        Assert.That((long)store.Pointer("b") % 64, Is.Zero);
    }

    [Test]
    public void Backward_adds_into_the_flat_gradient_in_place()
    {
        using var store = new ParameterStore(Two);
        using DisposeScope scope = NewDisposeScope();
        for (int pass = 0; pass < 2; pass++)
        {
            Tensor a = store["a"], b = store["b"];
            a.sum().mul(2).add(b.mul(tensor(new float[] { 1, 2, 3, 4, 5 })).sum()).backward();
        }

        // d/da = 2 and d/db = 1..5, twice; the gap stays zero.
        float[] expected = [4, 4, 4, 4, 4, 4, .. new float[10], 2, 4, 6, 8, 10, .. new float[11]];
        Assert.That(store.Gradient!.data<float>().ToArray(), Is.EqualTo(expected));
        Assert.That(store.GradientOf("b").data<float>().ToArray(), Is.EqualTo(new float[] { 2, 4, 6, 8, 10 }));
        using (no_grad()) store.Gradient!.zero_();
        store["b"].sum().backward();
        Assert.That(store.Gradient!.sum().item<float>(), Is.EqualTo(5), "the grad is still a view after zeroing");
    }

    [Test]
    public void The_hash_sees_values_names_and_shapes_but_not_the_order()
    {
        using var store = new ParameterStore(Two);
        using var reordered = new ParameterStore([Two[1], Two[0]]);
        using var reshaped = new ParameterStore([Two[0] with { Shape = [3, 2] }, Two[1]]);
        using var renamed = new ParameterStore([Two[0] with { Name = "c" }, Two[1]]);
        string hash = store.Hash();
        Assert.That(hash, Has.Length.EqualTo(64));
        Assert.That(reordered.Hash(), Is.EqualTo(hash));
        Assert.That(reshaped.Hash(), Is.Not.EqualTo(hash));
        Assert.That(renamed.Hash(), Is.Not.EqualTo(hash));
        store.Span("b")[0] = -0f;
        Assert.That(store.Hash(), Is.Not.EqualTo(hash), "bit for bit");
    }

    [Test]
    public void Disposing_leaves_no_tensor()
    {
        long before = Tensor.TotalCount;
        using (DisposeScope scope = NewDisposeScope())
        {
            using var inScope = new ParameterStore(Two);
            scope.Dispose(); // the store's tensors are its own
            Assert.That(inScope["a"].IsInvalid, Is.False);
        }

        new ParameterStore(Two, dtype: ScalarType.Float64).Dispose();
        Assert.That(Tensor.TotalCount, Is.EqualTo(before));
    }

    [Test]
    public void Twenty_five_million_numbers_begin_in_time_and_as_they_should()
    {
        LlamaConfig config = TestModels.Tiny with { VocabSize = 32000, HiddenSize = 768, NumHiddenLayers = 1, HeadDim = 192, IntermediateSize = 8 };
        using var store = new ParameterStore(LlamaParameters.Of(config), trainable: false);
        var watch = System.Diagnostics.Stopwatch.StartNew();
        Initialisation.Fill(store, config, 5);
        watch.Stop();
        TestContext.Out.WriteLine($"{store.Count:N0} parameters in {watch.Elapsed.TotalSeconds:F2} s");
        ReadOnlySpan<float> values = store.Span(LlamaParameters.Embedding);
        double sum = 0, squares = 0;
        foreach (float v in values)
        {
            sum += v;
            squares += (double)v * v;
        }

        Assert.That(sum / values.Length, Is.EqualTo(0).Within(0.02 * 5 / Math.Sqrt(values.Length)));
        Assert.That(Math.Sqrt(squares / values.Length), Is.EqualTo(0.02).Within(0.02 * 5 / Math.Sqrt(2.0 * values.Length)));
        float[] first = values[..100].ToArray();
        Initialisation.Fill(store, config, 5);
        Assert.That(store.Span(LlamaParameters.Embedding)[..100].ToArray(), Is.EqualTo(first), "the same address gives the same number");
    }
}
