using System.Diagnostics;
using Rlhf.Algorithms;
using Rlhf.Core;
using Rlhf.Models;
using Rlhf.Optimization;
using Rlhf.Trajectories;
using TorchSharp;

namespace Rlhf.Pipeline.Bench;

/// <summary>
/// Every method on the random walks, through the trainers that the commands use; a seed draws graph, walks, initial weights, samples and order anew.
/// Online methods start from a policy that imitates the walks; offline ones see the walks and nothing else; preference methods see pairs of them.
/// </summary>
public sealed class WalkBench : IAlgorithmBench
{
    private const int Walks = 1000, PretrainingSteps = 100, Evaluated = 1000, EvaluationAddress = 1_000_000;

    /// <inheritdoc/>
    public string Name => "walks";

    /// <inheritdoc/>
    public string Description => "21 nodes, paths of at most 10, score = optimality of the path (1 = shortest); tiny Llama, hidden 32, two layers.";

    /// <inheritdoc/>
    public AlgorithmTable Run(AlgorithmBenchOptions options, Action<string> told, CancellationToken cancellation)
    {
        torch.set_num_threads(options.Threads > 0 ? options.Threads : Environment.ProcessorCount);
        List<(string Method, string Kind, int Samples, Func<Setting, double> Train)> methods =
        [
            .. WalkRecipes.Online.Select(name => (name, "online", Samples(WalkRecipes.Of(name, 1)), (Func<Setting, double>)(s => Online(name, s, cancellation)))),
            ("ilql", "offline", Walks, s => Ilql(s, cancellation)),
            ("rft", "offline", Walks, s => Rft(s, cancellation)),
            .. Enum.GetValues<PreferenceMethod>().Select(m => (m.ToString().ToLowerInvariant(), "preference", Walks, (Func<Setting, double>)(s => Preference(m, s, cancellation)))),
        ];
        methods = [.. methods.Where(m => options.Wants(m.Method))];
        var before = methods.ToDictionary(m => m.Method, _ => new List<double>());
        var after = methods.ToDictionary(m => m.Method, _ => new List<double>());
        var seconds = methods.ToDictionary(m => m.Method, _ => new List<double>());
        for (ulong seed = 1; seed <= (ulong)options.Seeds; seed++)
        {
            using Setting setting = new(seed, cancellation);
            foreach ((string method, string kind, _, Func<Setting, double> train) in methods)
            {
                long started = Stopwatch.GetTimestamp();
                double reached = train(setting);
                seconds[method].Add(Stopwatch.GetElapsedTime(started).TotalSeconds);
                before[method].Add(kind == "online" ? setting.StartScore : setting.WalkScore);
                after[method].Add(reached);
                told($"walks, seed {seed}, {method}: {before[method][^1]:F3} → {reached:F3} in {seconds[method][^1]:F1} s");
            }
        }

        AlgorithmRow[] rows = [.. methods.Select(m => Row(m.Method, m.Kind, m.Samples, before[m.Method], after[m.Method], seconds[m.Method]))];
        return new AlgorithmTable(
            Name, ["method", "kind", "optimality before", "after", "seconds", "responses", "asked for", "met"],
            [
                .. rows.Select(r => (IReadOnlyList<string>)
                [
                    r.Method, r.Kind, AlgorithmRow.Spread(r.Before), AlgorithmRow.Spread(r.After), AlgorithmRow.Spread(r.Seconds), $"{r.Samples}", r.Required, r.Met is null ? "" : r.Met.Value ? "yes" : "no",
                ]),
            ],
            rows);
    }

    private static AlgorithmRow Row(string method, string kind, int samples, List<double> before, List<double> after, List<double> seconds)
    {
        bool asked = method is "ppo" or "a2c" or "grpo" or "rloo" or "reinforce" or "reinforce_value" or "ilql" or "rft";
        (string required, bool? met) = !asked ? ("", (bool?)null)
            : kind == "online" ? ("≥ 0.9 from ≤ 0.7", after.Average() >= 0.9 && before.Average() <= 0.7)
            : ("≥ +0.15", after.Average() >= before.Average() + 0.15);
        return new AlgorithmRow("walks", method, kind, before, after, seconds, samples, required, met);
    }

    private static int Samples(RunConfig run) => run.Iterations * WalkRecipes.SamplesPerIteration(run);

    private static double Online(string name, Setting setting, CancellationToken cancellation)
    {
        RunConfig run = WalkRecipes.Of(name, setting.Seed);
        using LlamaModel policy = run.Method.Critic == Critic.Shared ? WalkTask.WithValueHead(setting.Start) : setting.Start.Clone();
        using var trainer = new PolicyTrainer(policy, null, run);
        int samples = WalkRecipes.SamplesPerIteration(run);
        for (int iteration = 1; iteration <= run.Iterations; iteration++)
        {
            cancellation.ThrowIfCancellationRequested();
            TrajectoryBatch batch = WalkTask.ToBatch(setting.Task.Sample(policy, samples, iteration), setting.Start);
            if (run.Method.NeedsGreedyScores) batch.GreedyScores = [.. setting.Task.Sample(policy, samples, iteration, greedy: true).Select(r => r.Scores.Score!.Value)];
            trainer.Train(batch, iteration, cancellation: cancellation);
        }

        return setting.Score(policy);
    }

    private static double Ilql(Setting setting, CancellationToken cancellation)
    {
        IlqlConfig config = WalkRecipes.Ilql(setting.Seed);
        int steps = config.MaxSteps;
        using LlamaModel policy = setting.Start.Clone();
        using var heads = new IlqlHeads(policy.Config, setting.Seed);
        using var trainer = new IlqlTrainer(policy, heads, config);
        IlqlData data = IlqlData.Of(setting.Samples, config, policy.Config);
        var order = new EpochOrder(data.Training.Count, setting.Seed, 1);
        for (int step = 0; step < steps; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            trainer.Step([.. order.Batch(step, config.BatchSize).Select(i => data.Training[i])], step / (double)steps);
        }

        return setting.Score(policy, IlqlExport.Shift(heads, config.DecodingBeta));
    }

    private static double Rft(Setting setting, CancellationToken cancellation)
    {
        using LlamaModel policy = setting.Start.Clone();
        RftConfig config = WalkRecipes.Rft(setting.Seed);
        RftData kept = RftData.Of(setting.Samples, config, policy.Config);
        setting.Task.Imitate(policy, kept.Training, config.MaxSteps, config.Optimizer.LearningRate, cancellation);
        return setting.Score(policy);
    }

    private static double Preference(PreferenceMethod method, Setting setting, CancellationToken cancellation)
    {
        PreferenceConfig config = WalkRecipes.Preference(method, setting.Seed);
        int steps = config.MaxSteps;
        using LlamaModel policy = setting.Start.Clone();
        PreferenceExample[] pairs =
        [
            .. PreferencePairs.BestAgainstWorst(setting.Samples.Groups, setting.Samples.Scores, setting.Samples.Valid, 0, 20).Select((p, i) => new PreferenceExample(
                [SampledSequence.Of(setting.Samples.Rows[p.Chosen].Rollout, policy.Config), SampledSequence.Of(setting.Samples.Rows[p.Rejected].Rollout, policy.Config)],
                [true, false], setting.Samples.Groups[p.Chosen], i)),
        ];
        for (int i = 0; i < pairs.Length; i++)
        {
            TrainingSequence own = pairs[i].Responses[0], other = pairs[(i + (pairs.Length / 2)) % pairs.Length].Responses[0];
            pairs[i].Mismatched = new TrainingSequence((int[])[.. own.Tokens.Span[..own.ResponseStart], .. other.Tokens.Span[other.ResponseStart..]], own.ResponseStart);
        }

        ReferenceLogProbs.Fill(setting.Start, pairs, config.MicroBatchTokens, torch.CPU);
        using var trainer = new PreferenceTrainer(policy, config);
        var order = new EpochOrder(pairs.Length, setting.Seed, 2);
        for (int step = 0; step < steps; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            trainer.Step([.. order.Batch(step, config.BatchSize).Select(i => pairs[i])], step / (double)steps);
        }

        return setting.Score(policy);
    }

    /// <summary>What the methods of a seed share.</summary>
    private sealed class Setting : IDisposable
    {
        public Setting(ulong seed, CancellationToken cancellation)
        {
            (Seed, Task) = (seed, new WalkTask(seed));
            Samples = ScoredGroups.Of(Task.Walks(Walks), "walks");
            Start = Task.Pretrain(Samples.Rows, PretrainingSteps, cancellation);
            (WalkScore, StartScore) = (WalkTask.MeanScore(Samples.Rows), Score(Start));
        }

        public ulong Seed { get; }

        public WalkTask Task { get; }

        public ScoredGroups Samples { get; }

        public LlamaModel Start { get; }

        public double WalkScore { get; }

        public double StartScore { get; }

        /// <summary>Mean optimality of fresh samples at temperature 1, drawn at addresses that training never uses.</summary>
        public double Score(LlamaModel policy, Func<torch.Tensor, torch.Tensor>? shift = null) => WalkTask.MeanScore(Task.Sample(policy, Evaluated, EvaluationAddress, shift));

        public void Dispose() => Start.Dispose();
    }
}
