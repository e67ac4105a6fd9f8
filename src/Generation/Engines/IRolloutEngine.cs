using Rlhf.Core;

namespace Rlhf.Generation;

/// <summary>Draws responses from a policy. Not for several threads at once.</summary>
public interface IRolloutEngine : IDisposable
{
    /// <summary>"ort" or "genai": the engine column of the rollouts.</summary>
    string Name { get; }

    /// <summary>SHA-256 (hex) of the weights in use. Waits where the hash of handed-over weights is still being computed.</summary>
    string PolicyHash { get; }

    /// <summary>SHA-256 (hex) of what decides responses besides weights, prompts and options: the folder's graph, description and tokenizer as they were opened.</summary>
    string SettingsHash { get; }

    /// <summary>
    /// Answers every prompt <see cref="SamplingOptions.SamplesPerPrompt"/> times. Rollouts come in the order (prompt, sample) as soon as they
    /// and all before them are finished; the prompts are read as needed. The same prompts, options and weights give the same rollouts.
    /// </summary>
    /// <exception cref="ConfigurationException">An option is out of range.</exception>
    /// <exception cref="BadDataException">A prompt is empty or leaves no room for a response in the model's context.</exception>
    /// <exception cref="NumericalException">The logits are not finite.</exception>
    /// <exception cref="EngineException">The native engine failed.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; rollouts not yet returned are lost.</exception>
    IEnumerable<Rollout> Generate(IEnumerable<Prompt> prompts, SamplingOptions options, CancellationToken cancellation = default);

    /// <summary>Whether <see cref="UpdateWeights"/> can be called; otherwise new weights come in a folder, by <see cref="Reopen"/>.</summary>
    bool TakesWeights { get; }

    /// <summary>
    /// Replaces weights by those in the trainer's memory, without a file. The memory is copied: the caller may change it afterwards.
    /// </summary>
    /// <param name="weights">By the names of the exported graph's initializers; those not named keep their values.</param>
    /// <param name="policyHash">The new <see cref="PolicyHash"/>, computed off the critical path.</param>
    /// <exception cref="EngineException">The engine takes weights from folders only.</exception>
    void UpdateWeights(IReadOnlyList<WeightTensor> weights, Task<string> policyHash);

    /// <summary>Goes on with the policy of another exported folder of the same tokenizer.</summary>
    void Reopen(PolicyFolder folder);
}
