using Rlhf.Algorithms;
using Rlhf.Core;
using Rlhf.Models;
using Rlhf.Trajectories;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization;

/// <summary>
/// Random walks (<see cref="RandomWalks"/>) as a language task: a token a node, the prompt is a start node, the response the nodes walked to, and the
/// goal is the end-of-sequence token. The score is the path's optimality. Graph, walks and initial weights are functions of the seed.
/// </summary>
public sealed class WalkTask
{
    /// <summary>Mean optimality of random walks above which a graph is too easy: most of its nodes are next to the goal.</summary>
    public const double MostOfWalks = 0.6;

    private const int JudgedWalks = 400;

    private readonly ulong _seed;

    /// <summary>Draws graphs until random walks on one score at most <see cref="MostOfWalks"/>, so that there is something to learn.</summary>
    /// <param name="seed">Of graph, walks and weights.</param>
    public WalkTask(ulong seed)
    {
        _seed = seed;
        uint drawn = 0;
        do
        {
            uint graph = 100 + drawn++;
            Graph = RandomWalks.Create((attempt, edge) => U(graph, (uint)attempt, (uint)edge));
        }
        while (MeanScore(Walks(JudgedWalks)) > MostOfWalks);
    }

    public RandomWalks Graph { get; }

    /// <summary>New tokens of the longest path.</summary>
    public int MaxNewTokens => Graph.MaximalLength - 1;

    /// <summary>A tiny Llama: hidden 32, two layers.</summary>
    public LlamaConfig Model => new()
    {
        VocabSize = Graph.Nodes, HiddenSize = 32, IntermediateSize = 64, NumHiddenLayers = 2, NumAttentionHeads = 2, NumKeyValueHeads = 2, HeadDim = 16,
        MaxPositionEmbeddings = 16, RopeTheta = 100, EosTokenIds = [RandomWalks.Goal], Head = ModelHead.LanguageModel,
    };

    /// <summary>Walks of the behaviour policy with their scores, the starts in turn: the offline data.</summary>
    public IReadOnlyList<ScoredRollout> Walks(int count) =>
    [
        .. Enumerable.Range(0, count).Select(i =>
        {
            int start = Start(i);
            int[] path = Graph.Walk(start, step => U(2, (uint)i, (uint)step));
            return Row(start, i, path[1..], new float[path.Length - 1], path[^1] == RandomWalks.Goal, "walk");
        }),
    ];

    /// <summary>The start node of the i-th sample.</summary>
    public int Start(int i) => 1 + (i % (Graph.Nodes - 1));

    /// <summary>Mean optimality of rows.</summary>
    public static double MeanScore(IEnumerable<ScoredRollout> rows) => rows.Average(r => r.Scores.Score!.Value);

    /// <summary>Maximum likelihood on the walks by the SFT trainer: a policy that walks as they do.</summary>
    public LlamaModel Pretrain(IReadOnlyList<ScoredRollout> walks, int steps, CancellationToken cancellation = default)
    {
        LlamaModel model = LlamaModel.Create(Model, _seed);
        Imitate(model, [.. walks.Select(w => SampledSequence.Of(w.Rollout, model.Config))], steps, 1e-2, cancellation);
        return model;
    }

    /// <summary>A copy of a policy with a value head of 0.</summary>
    public static LlamaModel WithValueHead(LlamaModel policy)
    {
        LlamaModel model = LlamaModel.Create(policy.Config with { Head = ModelHead.LanguageModelWithValue }, 0);
        using IDisposable noGrad = no_grad();
        foreach (ParameterPlace place in policy.Parameters.Table) model.Parameters[place.Name].copy_(policy.Parameters[place.Name]);
        return model;
    }

    /// <summary>SFT steps of 128 sequences with a falling learning rate.</summary>
    public void Imitate(LlamaModel model, IReadOnlyList<TrainingSequence> sequences, int steps, double learningRate, CancellationToken cancellation = default)
    {
        const int batch = 128;
        var data = new SftData(sequences, [], _seed);
        using var trainer = new SftTrainer(model, new SftConfig
        {
            MicroBatchSize = batch, BatchSize = batch, Optimizer = new OptimizerConfig { LearningRate = learningRate, Schedule = LearningRateShape.Linear, FinalFraction = 0.1 },
        });
        for (int step = 0; step < steps; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            trainer.Step(data.Batch(step, batch), step / (double)steps);
        }
    }

    /// <summary>Samples of a policy at temperature 1, scored: the starts in turn, drawn by address (seed, iteration, sample, position).</summary>
    /// <param name="model">The policy.</param>
    /// <param name="count">Samples.</param>
    /// <param name="iteration">Part of the address.</param>
    /// <param name="shift">ILQL's shift of the logits, or null.</param>
    /// <param name="greedy">The most likely token instead of a draw.</param>
    public IReadOnlyList<ScoredRollout> Sample(LlamaModel model, int count, int iteration, Func<Tensor, Tensor>? shift = null, bool greedy = false)
    {
        int[][] prompts = [.. Enumerable.Range(0, count).Select(i => new[] { Start(i) })];
        DrawnResponse[] drawn = TorchSampler.Draw(
            model, prompts, MaxNewTokens, greedy ? null : (row, position) => AddressedRandom.SamplingUniform(_seed, iteration, 0x7A1C, row, position), shift);
        return [.. drawn.Select((d, i) => Row(Start(i), i, d.Tokens, [.. d.LogProbs.Select(p => (float)p)], d.Finished, "torch", iteration))];
    }

    /// <summary>Samples as a trainer's batch: scores, the sampler's and the reference's log-probs, prompts as groups.</summary>
    /// <param name="rows">Of <see cref="Sample"/>.</param>
    /// <param name="reference">Frozen; its log-probs are computed here.</param>
    public static TrajectoryBatch ToBatch(IReadOnlyList<ScoredRollout> rows, LlamaModel reference)
    {
        TrainingSequence[] sequences = [.. rows.Select(r => SampledSequence.Of(r.Rollout, reference.Config))];
        int[] offsets = RaggedOffsets.FromLengths([.. sequences.Select(s => s.ResponseLength)]);
        double[] logProbs = new double[offsets[^1]];
        new PolicyScorer(reference, null, 8192, 1, CPU).Score(sequences, offsets, logProbs, [], []);
        return TrajectoryRows.ToBatch(
            [
                .. rows.Select((r, i) => r with
                {
                    Scores = r.Scores with { ReferenceLogprobs = [.. logProbs[offsets[i]..offsets[i + 1]].Select(p => (float)p)] },
                }),
            ],
            reference.Config);
    }

    private double U(uint use, uint a, uint b) => AddressedRandom.Uniform(_seed, AddressedRandom.Stream.Data, 0x3A1C + use, a, b);

    private ScoredRollout Row(int start, int sample, int[] response, float[] logProbs, bool finished, string engine, int iteration = 0) => new(
        new Rollout
        {
            Iteration = iteration, PromptId = $"node/{start}", SampleId = sample, Prompt = $"{start}", Response = string.Join(' ', response), PromptTokens = [start], ResponseTokens = response,
            FinishReason = finished ? FinishReason.Eos : FinishReason.Length, RolloutLogprobs = logProbs, PolicyLogprobs = logProbs, PolicyHash = "", Engine = engine, Seed = (long)_seed,
            Temperature = 1, TopK = 0, TopP = 1,
        },
        new RowScores { Score = Graph.Optimality([start, .. response]) });
}
