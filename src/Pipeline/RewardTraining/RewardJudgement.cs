using System.Globalization;
using Rlhf.Core;
using Rlhf.Scoring;
using Rlhf.Trajectories;

namespace Rlhf.Pipeline;

/// <summary>Held-out responses of a run whose reward model learns on: before and after by one measure, and once more by the model as it is at the end.</summary>
internal sealed class RewardJudgement(RunConfig config, RunDirectory run, RewardTraining training, ScoringStage scoring)
{
    /// <summary>The scorer has the reward model that the run began with, until this is disposed of.</summary>
    public IDisposable? ByFirst()
    {
        if (training.Current == 0) return null;
        scoring.ReplaceReward(training.Of(0));
        return new Return(() => scoring.ReplaceReward(training.Of(training.Current)));
    }

    /// <summary>What the reward model as it is at the end says of the held-out responses before and after: <c>evaluation/retrained/</c>.</summary>
    public void ByLast(CancellationToken cancellation)
    {
        if (training.Current == 0) return;
        string column = training.Of(0).ColumnName, evaluation = Path.Combine(run.Root, "evaluation"), folder = RunEvaluations.Folder(run, "retrained");
        FileErrors.Writing(folder, () => Durable.CreateFolder(folder));
        double Mean(string name)
        {
            string output = Path.Combine(folder, name + ".parquet");
            scoring.Run(StageOptions.Scoring(config, Path.Combine(evaluation, name, "rollouts.parquet"), output), null, cancellation);
            return ScoredFile.Read(output).Select(r => r.Scores.Rewards.GetValueOrDefault(column, double.NaN)).Where(double.IsFinite).DefaultIfEmpty(double.NaN).Average();
        }

        double before = Mean("before"), after = Mean("after");
        FolderSeal.Write(folder);
        Log.Info(string.Create(CultureInfo.InvariantCulture, $"by the reward model as it was trained last (iteration {training.Current}): mean {column} {before:0.000} before, {after:0.000} after; the model: {run.Iteration(training.Current).RewardWeights}"));
    }

    private sealed class Return(Action end) : IDisposable
    {
        public void Dispose() => end();
    }
}
