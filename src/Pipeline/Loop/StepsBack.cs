using Rlhf.Core;
using Rlhf.Optimization;

namespace Rlhf.Pipeline;

/// <summary>
/// After a numerical failure: back to the last checkpoint with a lower learning rate, up to <c>recovery.steps_back</c> times in a row. Nothing about it is stored until
/// the iteration succeeds (or is interrupted while it trains): a run that is killed meanwhile fails, steps back and succeeds again in the same way.
/// </summary>
internal sealed class StepsBack(RunConfig config, RunDirectory run)
{
    /// <summary>Steps that the iteration at work has taken.</summary>
    public int Times { get; set; }

    public bool AreLeft => Times < config.Recovery.StepsBack;

    /// <summary>Takes one: says so, removes what the iteration had made, and gives the trainer to go on with.</summary>
    /// <param name="iteration">Which failed.</param>
    /// <param name="finished">Iterations done.</param>
    /// <param name="error">Why.</param>
    public PolicySession Take(int iteration, int finished, NumericalException error)
    {
        Times++;
        double factor = Math.Pow(config.Recovery.LearningRateFactor, Times);
        Log.Warning($"iteration {iteration} failed: {error.Message} Stepping back to {(finished == 0 ? "the start" : $"checkpoint {finished}")} with {factor:G4} of its learning rate (attempt {Times} of {config.Recovery.StepsBack}).");
        WholeFolder.Remove(UnfinishedWork.Open(run.Unfinished(iteration), "").Checkpoint);
        ResumePoint.RemoveAfter(run, finished);
        PolicySession session = PolicySession.Open(config, finished == 0 ? null : run.Checkpoint(finished));
        session.ScaleLearningRate(factor);
        return session;
    }
}
