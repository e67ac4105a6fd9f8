using Rlhf.Algorithms;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>A preference loss as the trainer calls it: from one number a response to the loss and its gradient.</summary>
public interface IPreferenceObjective
{
    /// <summary>How a response's token log-probs become one number.</summary>
    SequenceReduction Reduction { get; }

    /// <summary>Whether the reference's log-probs are read.</summary>
    bool NeedsReference { get; }

    /// <summary>Whether the KL estimate of mismatched pairs is read (KTO).</summary>
    bool NeedsReferencePoint { get; }

    /// <summary>What the mean loss of a step is a mean over: pairs or responses.</summary>
    int Units(IReadOnlyList<PreferenceExample> examples);

    /// <summary>Writes ∂L/∂(reduced log-prob) of every response; returns the sums.</summary>
    /// <param name="examples">[examples].</param>
    /// <param name="policy">[responses] reduced log-probs, flat in the order of the examples.</param>
    /// <param name="reference">[responses] of the reference; NaN-free only where it is needed.</param>
    /// <param name="referencePoint">z.</param>
    /// <param name="scale">1 / units of the whole step.</param>
    /// <param name="gradient">[responses] written.</param>
    PreferenceLossSums Evaluate(IReadOnlyList<PreferenceExample> examples, double[] policy, double[] reference, double referencePoint, double scale, double[] gradient);
}

/// <summary>From the configuration to the equation.</summary>
public static class PreferenceObjectives
{
    public static IPreferenceObjective Of(PreferenceConfig config) => config.Method switch
    {
        PreferenceMethod.Dpo => new PairObjective(new Dpo(config.Beta, config.LabelSmoothing)),
        PreferenceMethod.Ipo => new PairObjective(new Ipo(config.Beta, config.MeanLogProbs ? SequenceReduction.Mean : SequenceReduction.Sum)),
        PreferenceMethod.Orpo => new PairObjective(new Orpo(config.Beta)),
        PreferenceMethod.Simpo => new PairObjective(new SimPo(config.Beta, config.Margin)),
        PreferenceMethod.Kto => new KtoObjective(config.Beta, config.DesirableWeight, config.UndesirableWeight),
        _ => throw new ConfigurationException($"method: {config.Method} is not known."),
    };
}

/// <summary>DPO, IPO, ORPO, SimPO: a loss on pairs.</summary>
public sealed class PairObjective(IPreferenceLoss loss) : IPreferenceObjective
{
    /// <inheritdoc/>
    public SequenceReduction Reduction => loss.Reduction;

    /// <inheritdoc/>
    public bool NeedsReference => loss.NeedsReference;

    /// <inheritdoc/>
    public bool NeedsReferencePoint => false;

    /// <inheritdoc/>
    public int Units(IReadOnlyList<PreferenceExample> examples) => examples.Count;

    /// <inheritdoc/>
    public PreferenceLossSums Evaluate(IReadOnlyList<PreferenceExample> examples, double[] policy, double[] reference, double referencePoint, double scale, double[] gradient)
    {
        int pairs = examples.Count;
        double[] chosen = new double[pairs], rejected = new double[pairs];
        PreferenceLossSums sums = loss.Evaluate(
            new PreferenceBatch
            {
                Chosen = Every(policy, 0), Rejected = Every(policy, 1), ReferenceChosen = NeedsReference ? Every(reference, 0) : [], ReferenceRejected = NeedsReference ? Every(reference, 1) : [],
            },
            scale, chosen, rejected);
        for (int i = 0; i < pairs; i++) (gradient[2 * i], gradient[(2 * i) + 1]) = (chosen[i], rejected[i]);
        return sums;
        double[] Every(double[] values, int first) => [.. Enumerable.Range(0, pairs).Select(i => values[(2 * i) + first])];
    }
}

/// <summary>KTO: a loss on single responses; a pair is one good and one bad of them.</summary>
public sealed class KtoObjective(double beta, double desirableWeight, double undesirableWeight) : IPreferenceObjective
{
    private readonly Kto _loss = new(beta, desirableWeight, undesirableWeight);

    /// <inheritdoc/>
    public SequenceReduction Reduction => SequenceReduction.Sum;

    /// <inheritdoc/>
    public bool NeedsReference => true;

    /// <inheritdoc/>
    public bool NeedsReferencePoint => true;

    /// <inheritdoc/>
    public int Units(IReadOnlyList<PreferenceExample> examples) => examples.Sum(e => e.Responses.Length);

    /// <inheritdoc/>
    /// <remarks>Correct: the chosen one's reward is larger; of a single response: its log-ratio is on its label's side of z.</remarks>
    public PreferenceLossSums Evaluate(IReadOnlyList<PreferenceExample> examples, double[] policy, double[] reference, double referencePoint, double scale, double[] gradient)
    {
        bool[] desirable = [.. examples.SelectMany(e => e.Desirable)];
        double loss = _loss.Evaluate(policy, reference, desirable, referencePoint, scale, gradient);
        long correct = 0;
        double good = 0, bad = 0;
        for (int i = 0, at = 0; i < examples.Count; at += examples[i++].Responses.Length)
        {
            double first = policy[at] - reference[at];
            if (examples[i].IsPair)
            {
                double second = policy[at + 1] - reference[at + 1];
                correct += first > second ? 1 : 0;
                (good, bad) = (good + (beta * first), bad + (beta * second));
            }
            else
            {
                correct += first > referencePoint == desirable[at] ? 1 : 0;
                if (desirable[at]) good += beta * first;
                else bad += beta * first;
            }
        }

        return new PreferenceLossSums(loss, examples.Count, correct, good, bad);
    }
}
