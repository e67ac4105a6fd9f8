using Rlhf.Algorithms;
using Rlhf.Core;
using Rlhf.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Optimization;

/// <summary>One response with its rewards.</summary>
/// <param name="Sequence">Prompt and response.</param>
/// <param name="Rewards">[response tokens]; the score is on the last.</param>
public sealed record IlqlExample(TrainingSequence Sequence, double[] Rewards);

/// <summary>
/// ILQL (Snell et al. 2022) on a fixed set of responses. The state of token t is the hidden state that predicts it. Every term is a mean over the
/// batch's response tokens, however it is cut.
/// </summary>
public sealed class IlqlTrainer : IDisposable
{
    private readonly LlamaModel _model;
    private readonly IlqlHeads _heads;
    private readonly IlqlConfig _config;
    private readonly IlqlOptions _options;
    private readonly LanguageModelHead _head;
    private readonly Device _device;

    public IlqlTrainer(LlamaModel model, IlqlHeads heads, IlqlConfig config)
    {
        (_model, _heads, _config) = (model, heads, config);
        _options = new IlqlOptions
        {
            Tau = config.Tau, Gamma = config.Gamma, CqlCoefficient = config.CqlCoefficient, AwacCoefficient = config.CloningCoefficient, AwacBeta = config.CloningBeta,
        };
        _device = device(config.Device);
        _head = ModelParts.Head(model);
        Optimizer = ModelParts.Optimizer(model, config.Optimizer);
        HeadOptimizer = ModelParts.Optimizer(heads.Parameters, config.Optimizer, () => " It is a Q or V head.");
    }

    public AdamW Optimizer { get; }

    public AdamW HeadOptimizer { get; }

    /// <summary>Mean V of the tokens of the last step or evaluation.</summary>
    public double MeanValue { get; private set; }

    /// <summary>One optimiser step, then the slow heads follow.</summary>
    /// <returns>Parts of the loss, and the policy gradient's norm before clipping.</returns>
    public (IlqlLoss Loss, double GradientNorm) Step(IReadOnlyList<IlqlExample> batch, double progress)
    {
        IlqlLoss loss = Pass(batch, train: true);
        if (!double.IsFinite(loss.Total))
        {
            throw new NumericalException(
                $"The ILQL loss is {loss.Total} at optimiser step {Optimizer.Step + 1}, {NumericalGuard.Rows(batch.Select(e => e.Sequence.Row))} of the samples (Bellman {loss.Bellman:G3}, expectile {loss.Expectile:G3}, CQL {loss.Conservative:G3}, cloning {loss.Cloning:G3}); "
                + $"no step was taken.{ModelParts.NonFinite(_model)} Lower optimizer.learning_rate or gamma.");
        }

        double rate = LearningRate.At(_config.Optimizer, Optimizer.Step, progress);
        HeadOptimizer.TakeStep(rate);
        double norm = Optimizer.TakeStep(rate);
        _heads.Follow(_config.PolyakRate);
        return (loss, norm);
    }

    /// <summary>Parts of the loss without training.</summary>
    public IlqlLoss Evaluate(IReadOnlyList<IlqlExample> examples)
    {
        using IDisposable noGrad = no_grad();
        return examples.Count == 0 ? default : Pass(examples, train: false);
    }

    private IlqlLoss Pass(IReadOnlyList<IlqlExample> batch, bool train)
    {
        long tokens = batch.Sum(e => (long)e.Sequence.ResponseLength);
        IlqlLoss loss = default;
        MeanValue = 0;
        foreach (int[] cut in CollatedBatch.CutByTokens([.. batch.Select(e => e.Sequence.Tokens.Length)], _config.MicroBatchTokens))
        {
            using DisposeScope scope = NewDisposeScope();
            loss += MicroBatch([.. cut.Select(i => batch[i])], tokens, train);
        }

        return loss;
    }

    private IlqlLoss MicroBatch(IlqlExample[] examples, long tokens, bool train)
    {
        CollatedBatch collated = CollatedBatch.Create([.. examples.Select(e => e.Sequence)], _device);
        int[] offsets = collated.Offsets;
        int n = offsets[^1];
        Tensor hidden = _model.Hidden(collated.Inputs); // [batch, time, hidden]
        Tensor states = hidden.reshape(-1, hidden.shape[2]).index_select(0, collated.Positions), fixedStates = states.detach(); // [tokens, hidden]
        Tensor features1 = _heads.Features(0, states), features2 = _heads.Features(1, states), value = _heads.Values(states);
        HeadForward policy = _head.Forward(fixedStates, collated.Targets, 1, withEntropy: false, forBackward: train);
        (double[] q1, double[] sum1) = _heads.Output(0).Forward(features1.detach(), collated.Targets);
        (double[] q2, double[] sum2) = _heads.Output(1).Forward(features2.detach(), collated.Targets);
        double[] slow = SlowOfTaken(fixedStates, collated.Targets), values = Doubles(value);
        bool[] mask = new bool[n];
        Array.Fill(mask, true);
        double[] weights = new double[n], targets = new double[n];
        Array.Fill(weights, 1.0 / tokens);
        double[] g1 = new double[n], g2 = new double[n], gs1 = new double[n], gs2 = new double[n], gv = new double[n], gp = new double[n];
        IlqlLoss loss = Ilql.Evaluate(
            _options,
            new IlqlBatch
            {
                Offsets = offsets, ResponseMask = mask, Rewards = examples.SelectMany(e => e.Rewards).ToArray(), Q1 = q1, Q2 = q2, LogSumExpQ1 = sum1, LogSumExpQ2 = sum2, TargetQ = slow,
                Values = values, StateValues = _config.NextState == NextStateValue.Value ? values : StateValues(fixedStates),
                LogProbs = policy.LogProbs.Select(p => (double)p).ToArray(), Weights = weights,
            },
            new IlqlGradients { Q1 = g1, Q2 = g2, LogSumExpQ1 = gs1, LogSumExpQ2 = gs2, Values = gv, LogProbs = gp },
            targets);
        MeanValue += values.Sum() / tokens;
        if (!train) return loss;
        Tensor byPolicy = _head.Backward(policy, [.. gp.Select(g => (float)g)], []);
        Tensor byQ1 = _heads.Output(0).Backward(features1.detach(), collated.Targets, g1, gs1), byQ2 = _heads.Output(1).Backward(features2.detach(), collated.Targets, g2, gs2);
        autograd.backward([states, features1, features2, value], [byPolicy, byQ1, byQ2, tensor(gv).to(value.dtype).to(_device)]);
        return loss;
    }

    /// <summary>[tokens] min(Q̄₁, Q̄₂) of the taken actions.</summary>
    private double[] SlowOfTaken(Tensor states, Tensor actions)
    {
        using IDisposable noGrad = no_grad();
        double[] first = _heads.SlowOutput(0).Forward(_heads.SlowFeatures(0, states), actions).Chosen, second = _heads.SlowOutput(1).Forward(_heads.SlowFeatures(1, states), actions).Chosen;
        return [.. first.Zip(second, Math.Min)];
    }

    /// <summary>[tokens] max_a Q̄ (DQN), or Q̄ at the action that the online Q likes best (double Q); Q is the lesser of the two heads.</summary>
    internal double[] StateValues(Tensor states)
    {
        const int chunk = 512;
        using IDisposable noGrad = no_grad();
        int tokens = (int)states.shape[0];
        double[] result = new double[tokens];
        for (int start = 0; start < tokens; start += chunk)
        {
            using DisposeScope scope = NewDisposeScope();
            Tensor rows = states.narrow(0, start, Math.Min(chunk, tokens - start));
            Tensor slow = _heads.Least(rows, slow: true); // [rows, vocabulary]
            Tensor best = _config.NextState == NextStateValue.MaxQ ? slow.amax(1) : slow.gather(1, _heads.Least(rows).argmax(1).unsqueeze(1)).squeeze(1);
            Doubles(best).CopyTo(result, start);
        }

        return result;
    }

    private static double[] Doubles(Tensor values) => [.. PolicyScorer.HostFloats(values).Select(v => (double)v)];

    public void Dispose()
    {
        Optimizer.Dispose();
        HeadOptimizer.Dispose();
    }
}
