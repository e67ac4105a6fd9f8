using System.Text.Json;
using System.Text.Json.Serialization;
using Rlhf.Core;

namespace Rlhf.Pipeline.Bench;

/// <summary>One reward model in the table.</summary>
/// <param name="Name">shipped, or how it was mended.</param>
/// <param name="Hacked">Mean P(positive) of hacked samples whose prompts were not used for mending.</param>
/// <param name="PushedPolicy">… of what the pushed policy writes to the held-out prompts.</param>
/// <param name="Ordinary">… of what the untrained policy writes to them.</param>
/// <param name="Positive">… of held-out reviews with label 1.</param>
/// <param name="Negative">… of held-out reviews with label 0.</param>
/// <param name="Accuracy">On the held-out reviews.</param>
/// <param name="CalibrationError">Expected, 15 bins.</param>
/// <param name="Seconds">Of its training, on this machine.</param>
public sealed record MendedModel(
    string Name, double Hacked, double PushedPolicy, double Ordinary, double Positive, double Negative, Estimate Accuracy, double CalibrationError, double Seconds);

/// <summary>One run pushed too far, judged on the held-out prompts.</summary>
/// <param name="Name">Which reward model it was trained against.</param>
/// <param name="By">Reward model → mean P(positive) of its responses.</param>
/// <param name="KlPerToken">k3 to the reference, nats.</param>
/// <param name="Distinct2">Different bigrams / all bigrams.</param>
/// <param name="Length">Tokens.</param>
/// <param name="ReferenceLogProb">Mean log-prob per token under the reference, nats.</param>
/// <param name="Seconds">Of its iterations, on this machine.</param>
public sealed record PushedRun(string Name, IReadOnlyDictionary<string, double> By, double KlPerToken, double Distinct2, double Length, double ReferenceLogProb, double Seconds);

/// <summary>An iteration of the pushed run: from where on the reward is of what fools the model.</summary>
/// <param name="Iteration">From 1.</param>
/// <param name="KlPerToken">k3 to the reference, nats.</param>
/// <param name="By">Reward model → mean P(positive).</param>
public sealed record PushedIteration(int Iteration, double KlPerToken, IReadOnlyDictionary<string, double> By);

/// <summary>A hacked sample as it is.</summary>
public sealed record HackedText(string Run, string Prompt, string Response, IReadOnlyDictionary<string, double> By);

/// <summary>What <c>rlhf bench hacking</c> found.</summary>
/// <param name="Training">Hacked samples used as negatives.</param>
/// <param name="HeldOut">Hacked samples of other prompts.</param>
/// <param name="Models">The shipped reward model and the mended ones.</param>
/// <param name="Iterations">Of the pushed run.</param>
/// <param name="Runs">Against each reward model.</param>
/// <param name="Samples">Texts.</param>
public sealed record HackingResult(
    int Training, int HeldOut, IReadOnlyList<MendedModel> Models, IReadOnlyList<PushedIteration> Iterations, IReadOnlyList<PushedRun> Runs, IReadOnlyList<HackedText> Samples)
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals };

    public string ToJson() => JsonSerializer.Serialize(this, Indented);
}
