using Rlhf.Algorithms;
using Rlhf.Core;
using Rlhf.Models;
using Rlhf.Tokenization;
using TorchSharp;

namespace Rlhf.Optimization;

/// <summary>What is settled once training is over and saved with the model: gain, bias and temperature.</summary>
public static class RewardFinish
{
    /// <summary>Scores of mean 0 and deviation 1 over the training examples, and what brings them back: y = deviation · y′ + mean.</summary>
    /// <returns>Mean 0 and deviation 1 where the configuration does not ask for it.</returns>
    public static (double Mean, double Deviation) Standardise(RewardModelConfig config, List<RewardExample> training, List<RewardExample> heldOut)
    {
        if (!config.NormalizeLabels) return (0, 1);
        var labels = Moments.Of([.. training.Select(e => e.Label)]);
        double mean = labels.Mean, deviation = Math.Sqrt(labels.PopulationVariance);
        if (!(deviation > 0)) throw new BadDataException($"normalize_labels: every score is {mean}; there is nothing to learn.");
        foreach (List<RewardExample> examples in (List<RewardExample>[])[training, heldOut])
        {
            for (int i = 0; i < examples.Count; i++) examples[i] = examples[i] with { Label = (examples[i].Label - mean) / deviation };
        }

        return (mean, deviation);
    }

    /// <summary>Settings that contradict each other, before any work.</summary>
    /// <exception cref="ConfigurationException">They do.</exception>
    public static void Check(RewardModelConfig config)
    {
        ConfigProblem[] problems = [.. config.Validate()];
        if (problems.Length > 0) throw new ConfigurationException([.. problems.Select(p => p.ToString())]);
    }

    /// <summary>T of held-out labels or pairs; 1 where there is nothing to measure it on.</summary>
    public static double Temperature(RewardModelConfig config, IReadOnlyList<RewardExample> heldOut, double[][] scores)
    {
        if (heldOut.Count == 0) return 1;
        bool pairs = config.Objective == RewardObjective.Pairwise;
        return Calibration.Temperature([.. scores.Select(s => pairs ? s[0] - s[1] : s[0])], [.. heldOut.Select(e => pairs ? 1 : e.Label)]);
    }

    /// <summary>Writes gain, bias and temperature into the saved model; done again after a process that died, it gives the same.</summary>
    /// <param name="config">Reference texts and output.</param>
    /// <param name="saved">The model in the output folder, with gain, bias and temperature <see cref="AsTrained"/>.</param>
    /// <param name="scorer">Of that model.</param>
    /// <param name="tokenizer">Of the reference texts.</param>
    /// <param name="labels">Of <see cref="Standardise"/>.</param>
    /// <param name="temperature">Of <see cref="Temperature"/>.</param>
    /// <param name="cancellation">Honoured while reading.</param>
    public static void Save(RewardModelConfig config, LlamaModel saved, RewardScorer scorer, Tokenizer tokenizer, (double Mean, double Deviation) labels, double temperature, CancellationToken cancellation)
    {
        (double factor, double shift) = (labels.Deviation, labels.Mean); // reward = factor · trained score + shift
        if (config.NormalizeOn.Count > 0)
        {
            RewardModelConfig reading = config with { Objective = RewardObjective.Discriminator, TextColumn = config.NormalizeColumn, PromptColumn = config.NormalizePromptColumn };
            double[] rewards = [.. scorer.Evaluate(RewardData.All(reading, config.NormalizeOn, tokenizer, cancellation)).Select(s => (factor * s[0]) + shift)];
            var moments = Moments.Of(rewards);
            double mean = moments.Mean, deviation = Math.Sqrt(moments.PopulationVariance);
            if (!(deviation > 0)) throw new BadDataException($"{string.Join(", ", config.NormalizeOn)}: the rewards of these texts are all {mean}; they have no deviation to normalise.");
            (factor, shift) = (factor / deviation, (shift - mean) / deviation);
            Console.WriteLine($"normalised on {rewards.Length:N0} reference texts: their rewards had mean {mean:G4} and deviation {deviation:G4}");
        }

        if (factor == 1 && shift == 0 && temperature == 1) return;
        using LlamaModel final = LlamaModel.Load(config.Output, ModelHead.Scalar, torch.CPU, c => Scaled(AsTrained(c, saved.Config), factor, shift, temperature));
        final.Save(config.Output);
    }

    /// <summary>Gain, bias and temperature as the training had them, whatever an earlier end wrote: what comes after may be done twice.</summary>
    public static LlamaConfig AsTrained(LlamaConfig config, LlamaConfig trained) => config with
    {
        RewardGain = trained.RewardGain, RewardBias = trained.RewardBias, RewardTemperature = trained.RewardTemperature,
    };

    /// <summary>r′ = factor · r + shift, with the temperature of r given as that of r′.</summary>
    public static LlamaConfig Scaled(LlamaConfig config, double factor, double shift, double temperature) => config with
    {
        RewardGain = config.RewardGain * factor,
        RewardBias = (config.RewardBias * factor) + shift,
        RewardTemperature = temperature * factor,
    };
}
