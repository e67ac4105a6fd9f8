namespace Rlhf.Algorithms;

/// <summary>The coefficient β of the KL penalty, and its rule of change.</summary>
public interface IKlController
{
    /// <summary>β now. It is the controller's whole state: write it to the checkpoint, give it back to the constructor.</summary>
    double Coefficient { get; }

    /// <summary>Takes a measured KL; the unit (nats per sequence or per token) is the one of the target.</summary>
    /// <param name="kl">Mean KL of the batch.</param>
    /// <param name="samples">Samples in the batch.</param>
    void Update(double kl, int samples);
}

/// <summary>β stays what it is.</summary>
public sealed class FixedKlController(double coefficient) : IKlController
{
    /// <inheritdoc/>
    public double Coefficient { get; } = coefficient;

    /// <inheritdoc/>
    public void Update(double kl, int samples)
    {
        // A fixed coefficient has nothing to learn from the measurement.
    }
}

/// <summary>
/// Ziegler et al. 2019, "Fine-tuning language models from human preferences", section 2.2:
/// β ← β (1 + clip(KL/target − 1, −0.2, 0.2) · samples / horizon).
/// Deviation 1: the factor is at least ½, so that β stays positive in a batch that is larger than the horizon was made for.
/// </summary>
public sealed class AdaptiveKlController : IKlController
{
    private const double MaximalError = 0.2, SmallestFactor = 0.5;
    private readonly double _target;
    private readonly double _horizon;

    /// <param name="coefficient">β to start (or go on) from.</param>
    /// <param name="target">Nats; the KL to hold. The paper's 6 is per sequence of 24 tokens.</param>
    /// <param name="horizon">Samples over which a full error changes β by 20 %.</param>
    public AdaptiveKlController(double coefficient, double target, double horizon)
    {
        Require.Range(coefficient >= 0, coefficient, "at least 0");
        Require.Range(target > 0, target, "positive");
        Require.Range(horizon > 0, horizon, "positive");
        (Coefficient, _target, _horizon) = (coefficient, target, horizon);
    }

    /// <inheritdoc/>
    public double Coefficient { get; private set; }

    /// <inheritdoc/>
    public void Update(double kl, int samples)
    {
        double error = Math.Clamp((kl / _target) - 1, -MaximalError, MaximalError);
        Coefficient *= Math.Max(SmallestFactor, 1 + (error * samples / _horizon));
    }
}

/// <summary>
/// Schulman et al. 2017, "Proximal policy optimization algorithms", section 4, for PPO-penalty:
/// β ← β/2 if KL &lt; target/1.5;  β ← 2β if KL &gt; 1.5 · target. KL is KL(π_old‖π) after the epoch.
/// </summary>
public sealed class DoublingKlController : IKlController
{
    private const double Tolerance = 1.5;
    private readonly double _target;

    public DoublingKlController(double coefficient, double target)
    {
        Require.Range(coefficient >= 0, coefficient, "at least 0");
        Require.Range(target > 0, target, "positive");
        (Coefficient, _target) = (coefficient, target);
    }

    /// <inheritdoc/>
    public double Coefficient { get; private set; }

    /// <inheritdoc/>
    public void Update(double kl, int samples)
    {
        if (kl < _target / Tolerance) Coefficient /= 2;
        else if (kl > _target * Tolerance) Coefficient *= 2;
    }
}
