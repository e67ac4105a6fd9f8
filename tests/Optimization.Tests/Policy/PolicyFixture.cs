using Rlhf.Core;
using Rlhf.Models;

namespace Rlhf.Optimization.Tests;

/// <summary>A policy, a critic where it is separate, and a batch of responses with scores.</summary>
internal sealed class PolicyFixture : IDisposable
{
    public PolicyFixture(RunConfig run, int responses = 10)
    {
        Run = run;
        bool shared = run.Method.Critic == Critic.Shared, separate = run.Method.Critic == Critic.Separate;
        Policy = Tiny.Model(shared ? Tiny.Config : Tiny.Config with { Head = ModelHead.LanguageModel });
        CriticModel = separate ? Tiny.Model(seed: 8) : null;
        _reference = run.Method.NeedsReferenceModel ? Tiny.Model(Tiny.Config with { Head = ModelHead.LanguageModel }, seed: 9) : null;
        Trainer = new PolicyTrainer(Policy, CriticModel, run, _reference, run.Method.PtxCoefficient > 0 ? Text() : null);
        Batch = NewBatch(responses);
    }

    /// <summary>
    /// One thread, temperature 0.7. Adam's ε is large: where a gradient is nothing but rounding, a tiny ε would turn it into a full step, and
    /// sums in another order could not be compared.
    /// </summary>
    public static RunConfig Configuration(Func<MethodConfig, MethodConfig>? ppo = null, Func<OptimizerConfig, OptimizerConfig>? optimizer = null)
    {
        MethodConfig method = new() { Epochs = 2, MinibatchSize = 5, EntropyCoefficient = 0.01, MicroBatchTokens = 64, KlCoefficient = 0.1 };
        OptimizerConfig steps = new() { LearningRate = 1e-3, Epsilon = 1e-3 };
        return new RunConfig
        {
            Seed = 11, Iterations = 4, Threads = 1, Policy = "policy", Generation = new GenerationConfig { Prompts = "prompts", Temperature = 0.7 },
            Method = ppo is null ? method : ppo(method), Optimizer = optimizer is null ? steps : optimizer(steps),
        };
    }

    private readonly LlamaModel? _reference;

    public RunConfig Run { get; }

    public LlamaModel Policy { get; }

    public LlamaModel? CriticModel { get; }

    public PolicyTrainer Trainer { get; }

    public TrajectoryBatch Batch { get; }

    public PolicyMetrics Train(int iteration = 1) => Trainer.Train(Batch, iteration);

    /// <summary>Scores and reference log-probs at addressed places; the reference is not the policy.</summary>
    public static TrajectoryBatch NewBatch(int responses, ulong seed = 3)
    {
        double U(int i, uint c) => AddressedRandom.Uniform(seed, AddressedRandom.Stream.Data, (uint)i, c, 99);
        var batch = new TrajectoryBatch(Tiny.Sequences(responses, seed));
        for (int i = 0; i < responses; i++) (batch.Scores[i], batch.Finished[i], batch.Groups[i]) = ((4 * U(i, 0)) - 2, i % 3 != 0, i / 2);
        for (int t = 0; t < batch.Tokens; t++) batch.ReferenceLogProbs[t] = batch.RolloutLogProbs[t] = -4 * U(t, 1);
        batch.GreedyScores = [.. Enumerable.Range(0, responses).Select(i => U(i / 2, 2))];
        batch.ReferenceScores = [.. Enumerable.Range(0, responses).Select(i => U(i / 2, 3))];
        for (int t = 0; t < batch.Tokens; t++) (batch.TokenRewards[t], batch.SamplerLogProbs[t]) = (U(t, 4) - 0.5, -4 * U(t, 1));
        return batch;
    }

    /// <summary>200 tokens of text for PPO-ptx.</summary>
    private static PretrainingMix Text() => new(new PackedCorpus([.. Enumerable.Range(0, 200).Select(i => 3 + (i * 7 % (Tiny.Vocabulary - 3)))], 10, 5), 3);

    public void Dispose()
    {
        Trainer.Dispose();
        CriticModel?.Dispose();
        _reference?.Dispose();
        Policy.Dispose();
    }
}
