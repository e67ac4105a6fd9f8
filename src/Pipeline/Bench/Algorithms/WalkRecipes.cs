using Rlhf.Core;

namespace Rlhf.Pipeline.Bench;

/// <summary>How each online method is run on the random walks: the same 60 × 160 samples; the method's own defaults but for what is said here.</summary>
public static class WalkRecipes
{
    /// <summary>Samples of an iteration: 8 of each of the 20 start nodes.</summary>
    public const int SamplesPerIteration = 160;

    private const string Common = """
        policy: walks
        threads: 1
        iterations: 60
        generation: { prompts: nodes, prompts_per_iteration: 20, samples_per_prompt: 8, max_new_tokens: 9 }
        optimizer: { learning_rate: 3.0e-3, schedule: linear, final_fraction: 0.1 }

        """;

    /// <summary>Name in the table → section <c>method</c>.</summary>
    public static IReadOnlyDictionary<string, string> Online { get; } = new Dictionary<string, string>
    {
        ["ppo"] = "name: ppo, epochs: 4, minibatch_size: 80, kl_coefficient: 0, target_kl: 0.02, entropy_coefficient: 0.01",
        ["ppo_penalty"] = "name: ppo_penalty, epochs: 4, minibatch_size: 80, kl_coefficient: 0",
        ["off_policy"] = "name: off_policy, epochs: 4, minibatch_size: 80, kl_coefficient: 0",
        ["a2c"] = "name: a2c, minibatch_size: 80, kl_coefficient: 0",
        ["reinforce"] = "name: reinforce, minibatch_size: 80, kl_coefficient: 0, baseline: moving_average",
        ["reinforce_value"] = "name: reinforce, minibatch_size: 80, kl_coefficient: 0, baseline: value, critic: shared, value_coefficient: 0.1",
        ["reinforce_plus_plus"] = "name: reinforce_plus_plus, epochs: 2, minibatch_size: 80, kl_coefficient: 0",
        ["rloo"] = "name: rloo, minibatch_size: 80, kl_coefficient: 0",
        ["grpo"] = "name: grpo, epochs: 2, minibatch_size: 80, kl_coefficient: 0",
        ["dr_grpo"] = "name: dr_grpo, epochs: 2, minibatch_size: 80",
        ["dapo"] = "name: dapo, epochs: 2, minibatch_size: 80, dynamic_sampling: false, overlong_buffer: 0",
        ["gspo"] = "name: gspo, epochs: 2, minibatch_size: 80, clip_range: 0.03, clip_range_high: 0.04",
        ["cispo"] = "name: cispo, epochs: 2, minibatch_size: 80",
        ["remax"] = "name: remax, minibatch_size: 80, kl_coefficient: 0",
    };

    /// <summary>The configuration of a method.</summary>
    public static RunConfig Of(string name, ulong seed) =>
        ConfigBinder.Parse<RunConfig>($"{Common}seed: {seed}\nmethod: {{ {Online[name]} }}\n", $"recipe {name}");

    /// <summary>ILQL on the walks.</summary>
    public static IlqlConfig Ilql(ulong seed) => new()
    {
        Model = "walks", Seed = seed, NormalizeScores = false, Tau = 0.9, Gamma = 0.99, CqlCoefficient = 0.1, PolyakRate = 0.05, DecodingBeta = 50, HeldOutFraction = 0, BatchSize = 100,
        Optimizer = new OptimizerConfig { LearningRate = 3e-3, Schedule = LearningRateShape.Linear, FinalFraction = 0.1 },
    };

    /// <summary>Rejection sampling of the walks.</summary>
    public static RftConfig Rft(ulong seed) => new() { Model = "walks", Seed = seed, Selection = SampleSelection.Quantile, Quantile = 0.95, HeldOutFraction = 0 };

    /// <summary>Preference methods on pairs of the walks, the best against the worst of a start.</summary>
    public static PreferenceConfig Preference(PreferenceMethod method, ulong seed) => new()
    {
        Method = method, Model = "walks", Seed = seed, HeldOutFraction = 0.1, BatchSize = 40, Beta = method switch { PreferenceMethod.Simpo => 2, PreferenceMethod.Dpo => 0.5, _ => 0.1 }, Margin = method == PreferenceMethod.Simpo ? 1 : 0,
        Optimizer = new OptimizerConfig { LearningRate = 1e-3, Schedule = LearningRateShape.Linear, FinalFraction = 0.1 },
    };
}
