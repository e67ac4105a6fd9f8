using System.Runtime.InteropServices;
using NUnit.Framework;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Torch.Tests;

/// <summary>Operators against numbers worked by hand (small binary fractions, compared exactly).</summary>
[TestFixture]
public sealed class OperatorTests
{
    private DisposeScope _scope = null!;

    [SetUp]
    public void Open() => _scope = NewDisposeScope();

    [TearDown]
    public void Close() => _scope.Dispose();

    [Test]
    public void Arithmetic_with_tensors_and_numbers()
    {
        Tensor x = tensor(new float[] { 1, 2, 4 });
        Same(x + x, 2, 4, 8);
        Same(x - 1, 0, 1, 3);
        Same(1 - x, 0, -1, -3);
        Same(8.0 / x, 8, 4, 2);
        Same(x / 2, 0.5f, 1, 2);
        Same(-x * 0.5f, -0.5f, -1, -2);
        Same(x % 3, 1, 2, 1);
        Same(x.pow(2), 1, 4, 16);
        Same(x.add(x, alpha: 0.5), 1.5f, 3, 6);
        Same(x.div(3, RoundingMode.floor), 0, 0, 1);
        Same(minimum(x, tensor(2f)), 1, 2, 2);
        Same(x.clamp(max: 2), 1, 2, 2);
        Same(x.clamp(1.5, 3), 1.5f, 2, 3);
        Assert.That((x * 2).dtype, Is.EqualTo(float32));
        Assert.That((tensor(new long[] { 1, 2 }) * 0.5).dtype, Is.EqualTo(float32), "a double number with an int tensor gives the default float type");
        Assert.That((x.@double() + x).dtype, Is.EqualTo(float64));
    }

    [Test]
    public void In_place_operators_change_and_return_the_tensor()
    {
        Tensor x = tensor(new float[] { 1, 4, 9 });
        Assert.That(x.add_(0), Is.SameAs(x));
        Same(x.sqrt_(), 1, 2, 3);
        Same(x.mul_(x), 1, 4, 9);
        Same(x.sub_(1), 0, 3, 8);
        Same(x.div_(2), 0, 1.5f, 4);
        Same(x.addcmul_(x, x, 1), 0, 3.75f, 20);
        Same(x.addcdiv_(ones(3), tensor(new float[] { 1, 2, 4 }), 2), 2, 4.75f, 20.5f);
        Same(x.clamp_(max: 4), 2, 4, 4);
        Same(x.lerp_(zeros(3), tensor(0.5f)), 1, 2, 2);
        Same(x.masked_fill_(x.eq(2), 7), 1, 7, 7);
        Same(x.index_add_(0, tensor(new long[] { 0, 0 }), ones(2), 2), 5, 7, 7);
        Same(x.copy_(tensor(new double[] { 1, 2, 3 })), 1, 2, 3);
        Same(x.fill_(3), 3, 3, 3);
        Same(x.zero_(), 0, 0, 0);
        Tensor m = zeros(2, 2);
        m.addmm_(eye(2), full(2, 2, 3f), beta: 1, alpha: 2);
        Same(m, 6, 6, 6, 6);
    }

    [Test]
    public void Optimiser_step_by_hand_equals_adam()
    {
        // One step of Adam from zero moments moves by lr·g/(|g|+ε·√(1-β₂)…) ≈ lr·sign(g).
        Tensor p = zeros(2, dtype: float64), g = tensor(new double[] { 3, -5 }), m = zeros_like(p), v = zeros_like(p);
        m.mul_(0.9).add_(g, alpha: 0.1);
        v.mul_(0.999).addcmul_(g, g, value: 0.001);
        p.addcdiv_(m / 0.1, (v / 0.001).sqrt().add_(1e-12), value: -0.25);
        Assert.That(p.allclose(tensor(new double[] { -0.25, 0.25 })), Is.True);
    }

    [Test]
    public void Products()
    {
        Tensor a = arange(6, dtype: float32).view(2, 3), b = a.t();
        Same(a.mm(b), 5, 14, 14, 50);
        Same(matmul(a, ones(3)), 3, 12);
        Same(bmm(a.unsqueeze(0), b.unsqueeze(0)), 5, 14, 14, 50);
        Same(addmm(ones(2, 2), a, b, 2, 1), 7, 16, 16, 52);
        Same(baddbmm(ones(1, 2, 2), a.unsqueeze(0), b.unsqueeze(0), beta: 0, alpha: 2), 10, 28, 28, 100);
        Same(nn.functional.linear(a, ones(1, 3), ones(1)), 4, 13);
        Same(einsum("ij,ij->i", a, a), 5, 50);
    }

    [Test]
    public void Reductions_orders_and_tests()
    {
        Tensor x = tensor(new float[] { 3, 1, 2, 6, 5, 4 }, new long[] { 2, 3 });
        Same(x.sum(), 21);
        Same(x.sum(1), 6, 15);
        Same(x.mean([0], keepdim: true), 4.5f, 3, 3);
        Same(x.var([1], unbiased: false) * 3, 2, 2);
        Same(x.std(1L), 1, 1);
        (Tensor values, Tensor indices) = x.max(1);
        Same(values, 3, 6);
        Assert.That(indices.data<long>().ToArray(), Is.EqualTo(new long[] { 0, 0 }));
        Same(x.argmin(1).@float(), 1, 2);
        (values, indices) = x.topk(2, 1);
        Same(values, 3, 2, 6, 5);
        (values, indices) = x.sort(1, descending: true, stable: true);
        Same(indices.@float(), 0, 2, 1, 0, 1, 2);
        Same(x.cumsum(1), 3, 4, 6, 6, 11, 15);
        Same(x.amax([0, 1]), 6);
        Same(tensor(new float[] { 3, 4 }).norm(), 5);
        Same(x.norm(1, p: 1), 6, 15);
        Assert.That((x.gt(0).all().item<bool>(), x.gt(6).any().item<bool>(), (x / 0).isinf().all().item<bool>()), Is.EqualTo((true, false, true)));
        Same(zeros(2).logsumexp(0).exp(), 2);
        Same(x.isnan().sum().@float(), 0);
        Assert.That(x.Equals(x.clone()), Is.True);
        Assert.That(x.eq(x.clone()).dtype, Is.EqualTo(@bool));
    }

    [Test]
    public void Shapes()
    {
        Tensor x = arange(6, dtype: float32);
        Assert.That(x.view(2, -1).shape, Is.EqualTo(new long[] { 2, 3 }));
        Assert.That(x.view(1, 2, 3).permute(2, 0, 1).shape, Is.EqualTo(new long[] { 3, 1, 2 }));
        Tensor t = x.view(2, 3).transpose(0, 1);
        Assert.That((t.is_contiguous(), t.contiguous().is_contiguous(), t.stride(-1), t.size(0), t.numel()), Is.EqualTo((false, true, 3L, 3L, 6L)));
        Same(t, 0, 3, 1, 4, 2, 5);
        Assert.That(t.data<float>()[2, 1], Is.EqualTo(5));
        Assert.That(x.split(4).Select(p => p.numel()), Is.EqualTo(new long[] { 4, 2 }));
        Assert.That(x.split([1, 2, 3]).Select(p => p.numel()), Is.EqualTo(new long[] { 1, 2, 3 }));
        Assert.That(x.chunk(20).Length, Is.EqualTo(6));
        Assert.That(arange(40).unbind().Length, Is.EqualTo(40), "more results than fit the buffer on the stack");
        Same(cat([x.narrow(0, 0, 1), x.slice(0, 4, 6, 1)]), 0, 4, 5);
        Same(stack(new[] { x.select(0, 1), x.select(0, 2) }), 1, 2);
        Same(x[..2].repeat(2), 0, 1, 0, 1);
        Same(x[..2].repeat_interleave(2), 0, 0, 1, 1);
        Assert.That(x.unsqueeze(0).expand(3, -1).squeeze().shape, Is.EqualTo(new long[] { 3, 6 }));
        Assert.That(x.view(2, 1, 3).flatten(1).shape, Is.EqualTo(new long[] { 2, 3 }));
        Same(ones(2, 2).tril(), 1, 0, 1, 1);
        Same(ones(2, 2).triu(1), 0, 1, 0, 0);
    }

    [Test]
    public void Indexers_read()
    {
        Tensor x = arange(24, dtype: float32).view(2, 3, 4);
        Same(x[1, 2, 3], 23);
        Same(x[-1, 0], 12, 13, 14, 15);
        Same(x[TensorIndex.Colon, 1, TensorIndex.Slice(1, null, 2)], 5, 7, 17, 19);
        Same(x[TensorIndex.Ellipsis, ^1], 3, 7, 11, 15, 19, 23);
        Same(x[0, 1..3, ..1], 4, 8);
        Assert.That(x[TensorIndex.None, 0].shape, Is.EqualTo(new long[] { 1, 3, 4 }));
        Same(x[x.gt(21)], 22, 23);
        Same(x[TensorIndex.Single(0), TensorIndex.Tensor(tensor(new long[] { 2, 0 })), TensorIndex.Tensor(tensor(new long[] { 1, 1 }))], 9, 1);
        Same(x[TensorIndex.Colon, TensorIndex.Tensor(tensor(new long[] { 2 })), TensorIndex.Single(0)], 8, 20);
        Same(x.index_select(2, tensor(new long[] { 3 })), 3, 7, 11, 15, 19, 23);
        Same(tensor(new float[] { 5, 6, 7 }).gather(0, tensor(new long[] { 2, 2, 0 })), 7, 7, 5);
        Same(zeros(3).scatter_add(0, tensor(new long[] { 1, 1 }), ones(2)), 0, 2, 0);
        Same(x.masked_select(x.lt(2)), 0, 1);
        Same(tensor(new float[] { 0, 5, 0, 6 }).nonzero().@float(), 1, 3);
    }

    [Test]
    public void Indexers_write()
    {
        Tensor x = zeros(2, 3);
        x[0, 1] = tensor(5f);
        x[1] = tensor(new float[] { 1, 2, 3 });
        Same(x, 0, 5, 0, 1, 2, 3);
        x[TensorIndex.Colon, 2] = tensor(9f);
        Same(x, 0, 5, 9, 1, 2, 9);
        x[x.eq(9)] = tensor(-1f);
        Same(x, 0, 5, -1, 1, 2, -1);
        x.index_put_(ones(2), [TensorIndex.Tensor(tensor(new long[] { 0, 0 })), TensorIndex.Tensor(tensor(new long[] { 0, 0 }))], accumulate: true);
        Same(x[0], 2, 5, -1);
        x.index_put_(4, TensorIndex.Single(0), TensorIndex.Slice(1));
        Same(x[0], 2, 4, 4);
    }

    [Test]
    public void Losses_and_activations()
    {
        Tensor zero = zeros(1, 4), target = tensor(new long[] { 2 });
        Assert.That(nn.functional.cross_entropy(zero, target).ToDouble(), Is.EqualTo(Math.Log(4)).Within(1e-6));
        Same(nn.functional.mse_loss(zero, ones(1, 4), nn.Reduction.Sum), 4);
        Same(nn.functional.smooth_l1_loss(tensor(new float[] { 0.5f, 3 }), zeros(2), nn.Reduction.None), 0.125f, 2.5f);
        Same(nn.functional.huber_loss(tensor(new float[] { 0.5f, 3 }), zeros(2), 2, nn.Reduction.None), 0.125f, 4);
        Same(zero.softmax(1), 0.25f, 0.25f, 0.25f, 0.25f);
        Same(softmax(zero, 1), 0.25f, 0.25f, 0.25f, 0.25f);
        Same(nn.functional.relu(tensor(new float[] { -1, 2 })), 0, 2);
        Assert.That(nn.functional.logsigmoid(zeros(1)).ToDouble(), Is.EqualTo(-Math.Log(2)).Within(1e-6));
        Same(nn.functional.dropout(ones(4), 0.5, training: false), 1, 1, 1, 1);
        Same(nn.functional.layer_norm(tensor(new float[] { -1, 1 }), [2], eps: 0), -1, 1);
        Same(where(tensor(new[] { true, false }), ones(2), zeros(2)), 1, 0);
    }

    [Test]
    public void Numbers_in_and_out()
    {
        Assert.That(tensor(new long[] { 1, 2 }).data<long>().ToArray(), Is.EqualTo(new long[] { 1, 2 }));
        Assert.That(tensor(new[] { true, false }).data<bool>().ToArray(), Is.EqualTo(new[] { true, false }));
        Assert.That(tensor(new List<int> { 1, 2, 3, 4 }, 2, 2).shape, Is.EqualTo(new long[] { 2, 2 }));
        Assert.That(tensor(new double[] { 1.5 }, dtype: float32).item<float>(), Is.EqualTo(1.5f));
        Assert.That(from_array(new float[,] { { 1, 2 }, { 3, 4 } }).t().data<float>().ToArray(), Is.EqualTo(new float[] { 1, 3, 2, 4 }));
        Assert.That(tensor(Array.Empty<float>()).shape, Is.EqualTo(new long[] { 0 }));
        Assert.That((tensor(2.5).ToSingle(), tensor(3L).ToInt32(), (double)tensor(0.5f), tensor(true).ToBoolean()), Is.EqualTo((2.5f, 3, 0.5, true)));
        Assert.That(tensor(1.5f).to(bfloat16).data<ushort>()[0], Is.EqualTo(0x3FC0), "bfloat16 is the upper half of the float's bits");
        Tensor x = zeros(2, 2);
        x.data<float>().CopyFrom([1, 2, 3, 4]);
        Assert.That(MemoryMarshal.Cast<byte, float>(x.bytes).ToArray(), Is.EqualTo(new float[] { 1, 2, 3, 4 }));
        Assert.That(() => x.data<double>(), Throws.ArgumentException.With.Message.Contains("Float32"));
        Assert.That(() => x.item<float>(), Throws.ArgumentException.With.Message.Contains("4 elements"));
        Assert.That(() => x.t().bytes.Length, Throws.InvalidOperationException);
        Assert.That(() => tensor(new float[3], new long[] { 2 }), Throws.ArgumentException.With.Message.Contains("[2] has 2 elements, the array 3"));
        Assert.That((arange(3).dtype, arange(0, 1, 0.25).dtype, full(new long[] { 1 }, 1).dtype, full(new long[] { 1 }, 1.0).dtype), Is.EqualTo((int64, float32, int64, float32)));
    }

    [Test]
    public void Failures_name_the_operator_and_what_was_wrong()
    {
        Assert.That(() => ones(2, 3).mm(ones(2, 3)), Throws.TypeOf<ExternalException>().With.Message.Contains("aten::mm").And.Message.Contains("2x3 and 2x3"));
        Assert.That(() => ones(2).select(0, 5), Throws.TypeOf<ExternalException>().With.Message.Contains("aten::select.int").And.Message.Contains("out of range"));
        Assert.That(() => Operators.One("no_such_operator", ones(1)), Throws.TypeOf<ExternalException>().With.Message.Contains("no_such_operator"));
        Assert.That(() => Operators.One("mm", ones(1)), Throws.TypeOf<ExternalException>().With.Message.Contains("'mat2' has no default"));
    }

    [Test]
    public void Random_state_can_be_taken_and_put_back()
    {
        manual_seed(42);
        Tensor state = get_rng_state(), first = randn(new long[] { 5 }), second = rand(new long[] { 3 });
        set_rng_state(state);
        Assert.That((randn(new long[] { 5 }).Equals(first), rand(new long[] { 3 }).Equals(second)), Is.EqualTo((true, true)));
        using var own = new Generator(7);
        Tensor a = rand(new long[] { 4 }, generator: own);
        own.manual_seed(7);
        Assert.That(rand(new long[] { 4 }, generator: own).Equals(a), Is.True);
        Assert.That(own.initial_seed(), Is.EqualTo(7));
        Assert.That(first.Equals(a), Is.False);
    }

    [Test]
    public void Threads_reach_libtorch_and_its_blas()
    {
        int before = get_num_threads();
        foreach (int threads in new[] { 2, 1 })
        {
            set_num_threads(threads);
            Assert.That(get_num_threads(), Is.EqualTo(threads));
            Assert.That(Native.tb_blas_threads(), Is.EqualTo(threads).Or.Zero);
        }
        set_num_threads(before);
        Assert.That(get_num_interop_threads(), Is.GreaterThan(0));
    }

    [Test]
    public void Cuda_when_there_is_one()
    {
        if (!cuda.is_available())
        {
            Assert.That((cuda.device_count(), cuda_is_available()), Is.EqualTo((0, false)));
            Assert.Ignore("skipped: no CUDA device, or libtorch without CUDA");
        }
        Tensor x = ones(new long[] { 2, 2 }, device: CUDA).requires_grad_();
        x.matmul(x).sum().backward();
        cuda.synchronize();
        Assert.That((x.is_cuda, x.device.type, x.device_index), Is.EqualTo((true, DeviceType.CUDA, 0)));
        Same(x.grad!.cpu(), 4, 4, 4, 4);
        Assert.That(x.sum().item<float>(), Is.EqualTo(4));
    }

    [Test]
    public void Loader_seeks_in_the_documented_order()
    {
        string[] places = [.. BridgeLoader.Candidates("/x/own.so", "/a/b")];
        Assert.That(places, Is.EqualTo(new[] { "/x/own.so", "/a/b/librlhf_torch.so", "/a/b/artifacts/native/librlhf_torch.so", "/a/artifacts/native/librlhf_torch.so", "/artifacts/native/librlhf_torch.so" }));
    }

    private static void Same(Tensor actual, params float[] expected) => Assert.That(actual.data<float>().ToArray(), Is.EqualTo(expected));
}
