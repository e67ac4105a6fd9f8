using System.Runtime.InteropServices;
using NUnit.Framework;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Torch.Tests;

/// <summary>Gradients against central differences in float64, the graph's life, and functions written in .NET.</summary>
[TestFixture]
public sealed class AutogradTests
{
    // Central differences in float64 with h = 1e-6: truncation ~h², rounding ~1e-16/h; both well below this.
    private const double Tolerance = 1e-7;

    private static readonly (string Name, Func<Tensor, Tensor, Tensor> Function)[] s_functions =
    [
        ("add_mul", (x, y) => (x * y + x - 2.0) / (y + 3.0)),
        ("matmul", (x, y) => x.matmul(y.t())),
        ("log_softmax", (x, y) => x.log_softmax(-1) * y),
        ("logsumexp", (x, y) => x.logsumexp(1) * y.sum(1)),
        ("silu_sigmoid", (x, y) => nn.functional.silu(x) * y.sigmoid()),
        ("layer_norm", (x, y) => nn.functional.layer_norm(x, [3], y[0], y[1])),
        ("rms_norm", (x, y) => x * (x.square().mean([-1], true) + 1e-6).rsqrt() * y),
        ("exp_log_pow", (x, y) => (x.exp() + 1.0).log() + y.pow(3.0)),
        ("gather_cat", (x, y) => cat([x, y], 1).gather(1, tensor(new long[] { 5, 0, 3, 3 }, new long[] { 2, 2 }))),
        ("index_tensor", (x, y) => x[tensor(new long[] { 1, 1, 0 })] * y[TensorIndex.Ellipsis, 1..].sum()),
        ("where_clamp", (x, y) => where(x.gt(0), x.clamp(-0.5, 0.5), y.tanh())),
        ("linear_gelu", (x, y) => nn.functional.linear(x, y, y.sum(1)).gelu()),
        ("attention", (x, y) => nn.functional.scaled_dot_product_attention(x.unsqueeze(0), y.unsqueeze(0), x.unsqueeze(0), is_casual: true)),
        ("huber", (x, y) => nn.functional.huber_loss(x, y, 0.3, nn.Reduction.None)),
        ("bce_logits", (x, y) => nn.functional.binary_cross_entropy_with_logits(x, y.sigmoid(), reduction: nn.Reduction.Sum)),
        ("var_std", (x, y) => x.var([0], unbiased: false) + y.std(0L)),
        ("einsum", (x, y) => einsum("ij,kj->ik", x, y)),
    ];

    private static IEnumerable<string> Names => s_functions.Select(f => f.Name);

    [TestCaseSource(nameof(Names))]
    public void Gradient_equals_central_differences(string name)
    {
        Func<Tensor, Tensor, Tensor> function = s_functions.Single(f => f.Name == name).Function;
        using DisposeScope scope = NewDisposeScope();
        double[] values = [0.31, -0.72, 1.13, 0.54, -0.25, 0.86, 0.47, 0.28, -0.99, 1.21, 0.62, -0.43];
        Tensor[] inputs = [At(values[..6]), At(values[6..])];
        foreach (Tensor input in inputs) input.requires_grad_();
        Tensor output = function(inputs[0], inputs[1]);
        Tensor weights = arange(1, output.numel() + 1, dtype: float64).div(7).view(output.shape);
        output.mul(weights).sum().backward();
        for (int k = 0; k < 12; k++)
        {
            const double h = 1e-6;
            double expected = (Value(k, h) - Value(k, -h)) / (2 * h);
            double actual = inputs[k / 6].grad!.data<double>()[k % 6];
            Assert.That(actual, Is.EqualTo(expected).Within(Tolerance), $"∂/∂{k}");
        }

        double Value(int k, double step)
        {
            using IDisposable off = no_grad();
            var moved = (double[])values.Clone();
            moved[k] += step;
            return function(At(moved[..6]), At(moved[6..])).mul(weights).sum().item<double>();
        }

        static Tensor At(double[] six) => tensor(six, new long[] { 2, 3 });
    }

    [Test]
    public void Backward_accumulates_and_takes_gradients_of_outputs()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor x = tensor(new float[] { 1, 2 }).requires_grad_();
        Assert.That(x.grad, Is.Null);
        autograd.backward([x * 3, x * x], [tensor(new float[] { 1, 10 }), ones_like(x)]);
        Assert.That(x.grad!.data<float>().ToArray(), Is.EqualTo(new float[] { 3 + 2, 30 + 4 }));
        (x * 1).sum().backward();
        Assert.That(x.grad!.data<float>().ToArray(), Is.EqualTo(new float[] { 6, 35 }));
        x.grad = null;
        Assert.That(x.grad, Is.Null);
        x.grad = ones(new long[] { 2 });
        Assert.That(x.grad!.sum().ToSingle(), Is.EqualTo(2));
    }

    [Test]
    public void Autograd_grad_leaves_grad_alone_and_gives_second_derivatives()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor x = tensor(3.0).requires_grad_();
        Tensor first = autograd.grad([x.pow(3)], [x], create_graph: true)[0]; // 3x² = 27
        Tensor second = autograd.grad([first], [x])[0];                       // 6x = 18
        Assert.That((first.ToDouble(), second.ToDouble()), Is.EqualTo((27.0, 18.0)));
        Assert.That(x.grad, Is.Null);
        Assert.That(autograd.grad([x * 2], [x, ones(new long[] { 1 }).requires_grad_()], allow_unused: true)[1], Is.Null);
    }

    [Test]
    public void Grad_mode_nests_and_is_restored()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor x = ones(new long[] { 1 }, requires_grad: true);
        using (no_grad())
        {
            Assert.That((is_grad_enabled(), (x * 2).requires_grad), Is.EqualTo((false, false)));
            using (enable_grad()) Assert.That((x * 2).requires_grad, Is.True);
            Assert.That(is_grad_enabled(), Is.False);
        }
        Assert.That((is_grad_enabled(), x.is_leaf, (x * 2).is_leaf), Is.EqualTo((true, true, false)));
        using (inference_mode()) Assert.That((is_inference_mode_enabled(), (x * 2).requires_grad), Is.EqualTo((true, false)));
        Assert.That(is_inference_mode_enabled(), Is.False);
    }

    [Test]
    public void Second_backward_through_a_freed_graph_is_an_error_that_says_so()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor x = ones(new long[] { 2 }, requires_grad: true);
        Tensor loss = x.exp().sum();
        loss.backward();
        Assert.That(() => loss.backward(), Throws.TypeOf<ExternalException>().With.Message.Contains("backward").And.Message.Contains("second time"));
    }

    [Test]
    public void Function_in_dotnet_has_the_gradients_it_computes()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor x = tensor(new double[] { 0.5, -1, 2 }).requires_grad_();
        Tensor y = tensor(new double[] { 3, 4, 5 }).requires_grad_();
        Tensor product = ScaledProduct.apply(x, y, 2.0);
        Assert.That((product.requires_grad, product.is_leaf), Is.EqualTo((true, false)));
        product.mul(product).sum().backward(); // p = 2xy, L = Σp², ∂L/∂x = 2p·2y = 8xy², ∂L/∂y = 8x²y
        Assert.That(x.grad!.data<double>().ToArray(), Is.EqualTo(new double[] { 36, -128, 400 }));
        Assert.That(y.grad!.data<double>().ToArray(), Is.EqualTo(new double[] { 6, 32, 160 }));
    }

    [Test]
    public void Function_in_dotnet_frees_all_it_saved()
    {
        long before = Native.tb_live_tensors();
        for (int i = 0; i < 3; i++)
        {
            using DisposeScope scope = NewDisposeScope();
            Tensor x = ones(new long[] { 4 }, requires_grad: true);
            Tensor y = ones(new long[] { 4 }, requires_grad: true);
            Tensor z = ScaledProduct.apply(x, y, 1.5);
            if (i == 1) z.sum().backward(); // with backward, without, and without autograd
            using (no_grad()) ScaledProduct.apply(x, y, 1.5);
        }
        Assert.That(Native.tb_live_tensors(), Is.EqualTo(before));
    }

    [Test]
    public void Function_in_dotnet_that_throws_is_an_error_with_its_name_and_message()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor x = ones(new long[] { 4 }, requires_grad: true);
        Tensor z = ScaledProduct.apply(x, x, -1.0);
        Assert.That(() => z.sum().backward(), Throws.TypeOf<ExternalException>().With.Message.Contains("ScaledProduct.backward: ArgumentException: negative scale"));
        Tensor few = ScaledProduct.apply(x, x, 0.0);
        Assert.That(() => few.sum().backward(), Throws.TypeOf<ExternalException>().With.Message.Contains("returned 2 gradients for 3 arguments"));
    }

    [Test]
    public void Function_with_several_results_gets_zeros_for_those_unused()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor x = tensor(new float[] { 2, 3 }).requires_grad_();
        List<Tensor> both = SquareAndCube.apply(x);
        both[1].sum().backward(); // ∂Σx³ = 3x²
        Assert.That(x.grad!.data<float>().ToArray(), Is.EqualTo(new float[] { 12, 27 }));
    }

    private sealed class ScaledProduct : autograd.SingleTensorFunction<ScaledProduct>
    {
        public override string Name => nameof(ScaledProduct);

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            ctx.save_for_backward([(Tensor)vars[0], (Tensor)vars[1]]);
            ctx.save_data("scale", vars[2]);
            return (Tensor)vars[0] * (Tensor)vars[1] * (double)vars[2];
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
        {
            List<Tensor> saved = ctx.get_saved_variables();
            double scale = (double)ctx.get_data("scale");
            if (scale < 0) throw new ArgumentException("negative scale");
            if (scale == 0) return [grad_output, grad_output];
            return [grad_output * saved[1] * scale, grad_output * saved[0] * scale, null!];
        }
    }

    private sealed class SquareAndCube : autograd.MultiTensorFunction<SquareAndCube>
    {
        public override string Name => nameof(SquareAndCube);

        public override List<Tensor> forward(autograd.AutogradContext ctx, params object[] vars)
        {
            var x = (Tensor)vars[0];
            ctx.save_for_backward([x]);
            return [x.square(), x.pow(3)];
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, List<Tensor> grad_outputs)
        {
            Tensor x = ctx.get_saved_variables()[0];
            return [grad_outputs[0] * 2 * x + grad_outputs[1] * 3 * x.square()];
        }
    }
}
