using Rlhf.Core;
using Rlhf.Generation;
using Rlhf.Scoring;
using Rlhf.Trajectories;

namespace Rlhf.Pipeline;

/// <summary>The held-out evaluations of a run, each made once: one that is whole is read, one that was interrupted goes on.</summary>
internal sealed class RunEvaluations(RunConfig config, RunDirectory run, GenerationStage generation, ScoringStage scoring, RewardTraining? rewardTraining)
{
    private readonly RewardJudgement? _judgement = rewardTraining is null ? null : new RewardJudgement(config, run, rewardTraining, scoring);

    /// <summary><c>evaluation/before</c> or <c>after</c>.</summary>
    public static string Folder(RunDirectory run, string name) => Path.Combine(run.Root, "evaluation", name);

    /// <summary>Draws and scores; null where the configuration has no held-out prompts.</summary>
    /// <param name="name">"before" or "after".</param>
    /// <param name="policy">The ONNX folder that is judged.</param>
    /// <param name="open">The one that the engine has open.</param>
    /// <param name="goesOn">True: the engine has that one open again afterwards.</param>
    /// <param name="cancellation">Between tokens and batches.</param>
    public Evaluation? Judge(string name, string policy, string open, bool goesOn, CancellationToken cancellation)
    {
        if (config.Evaluation.Prompts.Length == 0) return null;
        string folder = Folder(run, name), file = Path.Combine(folder, "scored.parquet");
        var work = UnfinishedWork.Open(Path.Combine(run.UnfinishedFolder, $"evaluation-{name}"), folder);
        Evaluation evaluation;
        IReadOnlyList<string> problems = FolderSeal.Problems(folder);
        if (File.Exists(file) && problems.Count == 0)
        {
            evaluation = Evaluation.Of([.. ScoredFile.Read(file)]);
        }
        else
        {
            if (FolderSeal.Exists(folder)) Log.Warning($"the evaluation {name} the run is damaged ({(problems.Count > 0 ? problems[0].TrimEnd('.') : $"{file}: missing")}); it is made again.");
            bool isOpen = policy == open;
            if (!isOpen) generation.Engine.Reopen(PolicyFolder.Open(policy));
            using IDisposable? first = _judgement?.ByFirst();
            evaluation = Evaluation.Run(config, generation, scoring, folder, work, cancellation);
            FolderSeal.Write(folder);
            if (!isOpen && goesOn) generation.Engine.Reopen(PolicyFolder.Open(open));
        }

        work.Remove();
        return evaluation;
    }

    /// <summary>Where a reward model learnt on: what it says at the end of the same responses.</summary>
    public void JudgeWithLastReward(CancellationToken cancellation) => _judgement?.ByLast(cancellation);
}
