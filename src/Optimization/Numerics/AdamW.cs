using Rlhf.Core;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization;

/// <summary>
/// AdamW (Loshchilov and Hutter, 2019, "Decoupled weight decay regularization") on one flat parameter buffer:
/// m ← β₁m + (1−β₁)g,  v ← β₂v + (1−β₂)g²,  θ ← θ − η·λ·θ∘decayed − η·m̂/(√v̂ + ε).
/// Deviation 1: the bias correction is the one of PyTorch (ε outside the corrected root) unless <c>TensorFlowEpsilon</c> asks for
/// TensorFlow's form θ ← θ − η·√(1−β₂ᵗ)/(1−β₁ᵗ) · m/(√v + ε), which the original RLHF code used.
/// Deviation 2: weight decay touches only matrices (the mask), never gains, biases or heads of one row.
/// </summary>
public sealed class AdamW : IDisposable
{
    private readonly Tensor _parameters; // [parameters]
    private readonly Tensor _gradient; // [parameters]
    private readonly Tensor? _decayed; // [parameters] 1 where weight decay applies
    private readonly OptimizerConfig _config;
    private readonly Func<string> _nonFinite;

    /// <param name="parameters">[parameters] changed in place; the caller's.</param>
    /// <param name="gradient">[parameters] read and zeroed; the caller's.</param>
    /// <param name="decayed">[parameters] 1 where weight decay applies, or null: everywhere. The optimiser owns it.</param>
    /// <param name="config">Rates and bounds.</param>
    /// <param name="nonFinite">Says which tensor went bad, for errors.</param>
    public AdamW(Tensor parameters, Tensor gradient, Tensor? decayed, OptimizerConfig config, Func<string>? nonFinite = null)
    {
        (_parameters, _gradient, _decayed, _config) = (parameters, gradient, decayed, config);
        _nonFinite = nonFinite ?? (() => "");
        FirstMoment = zeros_like(parameters).DetachFromDisposeScope();
        SecondMoment = zeros_like(parameters).DetachFromDisposeScope();
    }

    /// <summary>m, [parameters].</summary>
    public Tensor FirstMoment { get; }

    /// <summary>v, [parameters].</summary>
    public Tensor SecondMoment { get; }

    /// <summary>Steps taken.</summary>
    public long Step { get; set; }

    /// <summary>√Σg² over all parameters, in float64 on the host.</summary>
    public double GradientNorm()
    {
        using IDisposable noGrad = no_grad();
        using Tensor norm = _gradient.norm();
        using Tensor host = norm.cpu();
        return host.to(ScalarType.Float64).item<double>();
    }

    /// <summary>Clips the gradient to <c>MaxGradientNorm</c> (0: never), takes one step and zeroes the gradient.</summary>
    /// <returns>The gradient's norm before clipping.</returns>
    /// <exception cref="Rlhf.Core.NumericalException">The norm is NaN or infinite (the parameters are untouched), or the weights are so after the step.</exception>
    public double TakeStep(double learningRate)
    {
        using IDisposable noGrad = no_grad();
        using DisposeScope scope = NewDisposeScope();
        double norm = GradientNorm();
        if (!double.IsFinite(norm))
        {
            throw new Rlhf.Core.NumericalException(
                $"The gradient's norm is {norm} at optimiser step {Step + 1}; the weights are as they were before it.{_nonFinite()} "
                + "Lower optimizer.learning_rate or optimizer.max_gradient_norm, or look for NaN in rewards.");
        }

        if (_config.MaxGradientNorm > 0 && norm > _config.MaxGradientNorm) _gradient.mul_(_config.MaxGradientNorm / (norm + 1e-12));
        Step++;
        double b1 = _config.Beta1, b2 = _config.Beta2;
        double c1 = 1 - Math.Pow(b1, Step), c2 = 1 - Math.Pow(b2, Step);
        FirstMoment.mul_(b1).add_(_gradient, 1 - b1);
        SecondMoment.mul_(b2).addcmul_(_gradient, _gradient, 1 - b2);
        if (_config.WeightDecay > 0)
        {
            if (_decayed is null) _parameters.mul_(1 - (learningRate * _config.WeightDecay));
            else _parameters.addcmul_(_parameters, _decayed, -learningRate * _config.WeightDecay);
        }

        Tensor root = SecondMoment.sqrt();
        if (_config.TensorFlowEpsilon)
        {
            root.add_(_config.Epsilon);
            _parameters.addcdiv_(FirstMoment, root, -learningRate * Math.Sqrt(c2) / c1);
        }
        else
        {
            root.div_(Math.Sqrt(c2)).add_(_config.Epsilon);
            _parameters.addcdiv_(FirstMoment, root, -learningRate / c1);
        }

        _gradient.zero_();
        CheckWeights();
        return norm;
    }

    /// <summary>One pass over the weights: what a step broke is found in that step, not where it is next used.</summary>
    private void CheckWeights()
    {
        using Tensor norm = _parameters.norm();
        using Tensor host = norm.cpu();
        if (double.IsFinite(host.to(ScalarType.Float64).item<double>())) return;
        throw new Rlhf.Core.NumericalException(
            $"The weights are not finite after optimiser step {Step}.{_nonFinite()} The optimiser's moments are damaged or a step was far too large; go on from the last checkpoint with a lower optimizer.learning_rate.");
    }

    public void Dispose()
    {
        FirstMoment.Dispose();
        SecondMoment.Dispose();
        _decayed?.Dispose();
    }
}
