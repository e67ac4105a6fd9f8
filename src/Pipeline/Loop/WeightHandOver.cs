using Rlhf.Generation;
using Rlhf.Models;

namespace Rlhf.Pipeline;

/// <summary>Lets the rollout engine go on with the trained weights: from the trainer's memory, or from the exported folder where it takes none.</summary>
/// <param name="engine">Of the run.</param>
/// <param name="device">Of the trainer.</param>
internal sealed class WeightHandOver(IRolloutEngine engine, string device) : IDisposable
{
    private StagedWeights? _staged;

    /// <param name="policy">As trained.</param>
    /// <param name="exported">The same weights; the engine's hash is the folder's.</param>
    public void Give(LlamaModel policy, PolicyFolder exported)
    {
        if (!engine.TakesWeights || device != "cpu")
        {
            engine.Reopen(exported);
            return;
        }

        if (_staged?.Policy != policy)
        {
            _staged?.Dispose();
            _staged = new StagedWeights(policy);
        }

        engine.UpdateWeights(_staged.Now(), Task.Run(exported.Hash));
    }

    public void Dispose() => _staged?.Dispose();
}
