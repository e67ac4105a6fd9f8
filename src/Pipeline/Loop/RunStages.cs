using Rlhf.Core;
using Rlhf.Generation;
using Rlhf.Optimization;
using Rlhf.Scoring;
using Rlhf.Trajectories;

namespace Rlhf.Pipeline;

/// <summary>What a run keeps open from its first iteration to its last: the trainer, the rollout engine, the scorers, and the way of the weights between them.</summary>
internal sealed class RunStages : IDisposable
{
    private readonly RunConfig _config;
    private readonly RunDirectory _run;
    private readonly RunModels _models;
    private readonly WeightHandOver _handOver;

    /// <param name="config">Of the run.</param>
    /// <param name="run">Its directory.</param>
    /// <param name="finished">Iterations done; the weights of the last one are opened.</param>
    /// <param name="rows">Their metrics.</param>
    /// <param name="outside">Rewards from outside.</param>
    /// <param name="place">Told where the drawing and scoring is.</param>
    public RunStages(RunConfig config, RunDirectory run, int finished, IReadOnlyList<MetricRow> rows, IReadOnlyList<OutsideReward> outside, RunPlace place)
    {
        (_config, _run) = (config, run);
        try
        {
            Prompt[] prompts = [.. PromptFile.Read(config.Generation.Prompts, config.Generation.PromptColumn)];
            _models = RunModels.Prepare(config, run);
            Session = PolicySession.Open(config, finished == 0 ? null : run.Checkpoint(finished));
            if (finished > 0) RestorePolicy(finished);
            RewardTraining = RewardTraining.Open(config, run, _models, rows, finished, mayRepair: true);
            Scoring = new ScoringStage(RewardTraining?.Rewards ?? _models.Rewards, _models.Reference, config.Threads, outside);
            Generation = GenerationStage.Open(PolicyAfter(finished), config.Generation.Engine, config.Threads);
            _handOver = new WeightHandOver(Generation.Engine, config.Device);
            Evaluations = new RunEvaluations(config, run, Generation, Scoring, RewardTraining);
            Collector = new RolloutCollector(config, Generation, Scoring, new PromptSchedule(prompts, config.Generation.PromptsPerIteration, config.Seed), _models.Reference, place);
        }
        catch
        {
            Dispose(); // of what was opened before the part that failed
            throw;
        }
    }

    public PolicySession Session { get; private set; }

    public GenerationStage Generation { get; }

    public ScoringStage Scoring { get; }

    /// <summary>Null where the reward models stay as they are.</summary>
    public RewardTraining? RewardTraining { get; }

    public RolloutCollector Collector { get; }

    public RunEvaluations Evaluations { get; }

    /// <summary>The ONNX folder of the policy after so many iterations.</summary>
    public string PolicyAfter(int finished) => finished == 0 ? _models.Policy : _run.Iteration(finished).Policy;

    /// <summary>Exports the trained policy and lets the engine draw with it.</summary>
    public ExportedPolicy Export(string folder)
    {
        ExportedPolicy exported = Session.ExportPolicy(folder);
        _handOver.Give(Session.Policy, PolicyFolder.Open(folder));
        return exported;
    }

    /// <summary>After a step back: everything as it was after so many iterations.</summary>
    /// <param name="finished">Iterations done.</param>
    /// <param name="rows">Their metrics.</param>
    /// <param name="open">Opens the trainer to go on with.</param>
    public void ReturnTo(int finished, IReadOnlyList<MetricRow> rows, Func<PolicySession> open)
    {
        Session.Dispose();
        Session = open();
        Generation.Engine.Reopen(PolicyFolder.Open(PolicyAfter(finished)));
        RewardTraining?.ReturnTo(rows, finished, Scoring);
    }

    /// <summary>Writes the tuned policy, to run and to train on.</summary>
    public void SaveFinal()
    {
        Session.ExportPolicy(_run.FinalPolicyFolder);
        Session.Policy.Save(_run.FinalWeightsFolder, tokenizerFrom: _config.Policy);
        FolderSeal.Write(_run.FinalWeightsFolder);
    }

    /// <summary>The last policy folder was removed or damaged, but the checkpoint has its weights: it is exported again, to the same bytes.</summary>
    private void RestorePolicy(int finished)
    {
        string policy = PolicyAfter(finished);
        IReadOnlyList<string> problems = FolderSeal.Problems(policy);
        if (problems.Count == 0) return;
        Log.Warning($"the policy of iteration {finished} is damaged ({problems[0].TrimEnd('.')}); it is exported again from the checkpoint.");
        Session.ExportPolicy(policy);
    }

    // A constructor that failed leaves later parts null.
    public void Dispose()
    {
        _handOver?.Dispose();
        Generation?.Dispose();
        Scoring?.Dispose();
        RewardTraining?.Dispose();
        Session?.Dispose();
    }
}
