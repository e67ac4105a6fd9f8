namespace Rlhf.Core;

/// <summary>
/// The online methods. Each has its defaults in <see cref="MethodDefaults"/>, its advantages and loss in a file of its own under
/// <c>src/Optimization/Policy/Methods</c>, and a configuration under <c>configs/methods</c>.
/// </summary>
public enum MethodName
{
    /// <summary>PPO-clip (Schulman et al. 2017) as used for language (Ziegler et al. 2019, Ouyang et al. 2022).</summary>
    Ppo,

    /// <summary>PPO with an adaptive KL(π_old‖π) penalty instead of the clip (Schulman et al. 2017, section 4).</summary>
    PpoPenalty,

    /// <summary>Importance-weighted policy gradient (Degris et al. 2012), truncated, with the same penalty.</summary>
    OffPolicy,

    /// <summary>REINFORCE (Williams 1992) with a baseline of choice.</summary>
    Reinforce,

    /// <summary>Advantage actor-critic (Mnih et al. 2016), synchronous.</summary>
    A2c,

    /// <summary>REINFORCE leave-one-out (Kool et al. 2019, Ahmadian et al. 2024).</summary>
    Rloo,

    /// <summary>Group-relative policy optimisation (Shao et al. 2024).</summary>
    Grpo,

    /// <summary>GRPO done right (Liu et al. 2025).</summary>
    DrGrpo,

    /// <summary>Decoupled clip and dynamic sampling (Yu et al. 2025).</summary>
    Dapo,

    /// <summary>REINFORCE++ (Hu et al. 2025).</summary>
    ReinforcePlusPlus,

    /// <summary>Group sequence policy optimisation (Zheng et al. 2025).</summary>
    Gspo,

    /// <summary>Clipped importance weights (MiniMax 2025).</summary>
    Cispo,

    /// <summary>ReMax: the greedy response as baseline (Li et al. 2024).</summary>
    Remax,
}
