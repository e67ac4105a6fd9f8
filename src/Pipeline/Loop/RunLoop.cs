using System.Diagnostics;
using Rlhf.Core;
using Rlhf.Generation;
using Rlhf.Optimization;
using Rlhf.Scoring;
using Rlhf.Trajectories;

namespace Rlhf.Pipeline;

/// <summary>
/// The loop: generate → score → optimize → export, once an iteration, in one process with warm engines. The stages meet only in files, and
/// every file is a pure function of the configuration, so a run that was killed goes on from its last checkpoint with the same bytes.
/// </summary>
public sealed class RunLoop : IDisposable
{
    private readonly RunConfig _config;
    private readonly RunDirectory _run;
    private readonly RunModels _models;
    private readonly PolicySession _session;
    private readonly GenerationStage _generation;
    private readonly ScoringStage _scoring;
    private readonly RolloutCollector _collector;
    private readonly List<string> _warnings = [];
    private long _tokensTotal;

    private RunLoop(RunConfig config, RunDirectory run, int finished)
    {
        (_config, _run, Finished) = (config, run, finished);
        Prompt[] prompts = [.. PromptFile.Read(config.Generation.Prompts, config.Generation.PromptColumn)];
        _models = RunModels.Prepare(config, run);
        _session = PolicySession.Open(config, finished == 0 ? null : run.Checkpoint(finished));
        _scoring = new ScoringStage(_models.Rewards, _models.Reference, config.Threads);
        _generation = GenerationStage.Open(finished == 0 ? _models.Policy : run.Iteration(finished).Policy, config.Generation.Engine, config.Threads);
        _collector = new RolloutCollector(config, _generation, _scoring, new PromptSchedule(prompts, config.Generation.PromptsPerIteration, config.Seed), _models.Reference);
        if (finished > 0 && File.Exists(run.MetricsPath))
        {
            _tokensTotal = (long)MetricsFile.Read(run.MetricsPath).Where(r => r.Iteration <= finished).Select(r => r.Values.GetValueOrDefault("tokens/generated")).Sum();
        }

        Log.WarningTold += _warnings.Add;
    }

    /// <summary>Iterations done.</summary>
    public int Finished { get; private set; }

    /// <summary>Begins a run.</summary>
    public static RunLoop Begin(RunConfig config, RunDirectory run) => new(config, run, 0);

    /// <summary>Goes on after the newest whole checkpoint; what lies beyond it is removed and made again.</summary>
    public static RunLoop Resume(RunConfig config, RunDirectory run)
    {
        foreach (int checkpoint in run.FinishedCheckpoints().Reverse())
        {
            IReadOnlyList<string> damage = FolderSeal.Verify(run.Checkpoint(checkpoint));
            bool policy = File.Exists(Path.Combine(run.Iteration(checkpoint).Policy, "model.onnx"));
            if (damage.Count == 0 && policy && !HasMetrics(run, checkpoint))
            {
                // Killed between checkpoint and metrics: the numbers are made again, with the same values.
                Log.Info($"iteration {checkpoint} has a checkpoint but no metrics; it is made again.");
                continue;
            }

            if (damage.Count == 0 && policy)
            {
                RemoveAfter(run, checkpoint);
                return new RunLoop(config, run, checkpoint);
            }

            Log.Warning($"checkpoint {checkpoint} is damaged ({(damage.Count > 0 ? damage[0] : "its policy folder is missing")}); going back to the one before.");
        }

        RemoveAfter(run, 0);
        return new RunLoop(config, run, 0);
    }

    /// <summary>Runs what is left and writes the report.</summary>
    public RunOutcome Run(CancellationToken cancellation)
    {
        Evaluation? before = Judge("before", _models.Policy, Finished == 0, cancellation);
        using var metrics = new MetricsWriter(_run.MetricsPath, keepThrough: Finished);
        using var board = new TensorBoardWriter(_run.TensorBoardFolder);
        var table = new IterationTable(IterationTable.Default);
        long stepsEach = PolicySession.PlannedSteps(_config, _config.Generation.PromptsPerIteration * _config.Generation.SamplesPerPrompt);
        using (var progress = new ProgressReport("training", (_config.Iterations - Finished) * stepsEach, "steps"))
        {
            for (int i = Finished + 1; i <= _config.Iterations; i++)
            {
                try
                {
                    Dictionary<string, double> row = Iterate(i, progress, stepsEach, cancellation);
                    metrics.Write(i, row);
                    board.Write(i, row);
                    Finish(i);
                    table.Print(i, row);
                }
                catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
                {
                    throw new InterruptedException($"Stopped in iteration {i}; {Finished} of {_config.Iterations} iterations are safe. Go on with: ./rlhf resume {_run.Root}");
                }
            }
        }

        if (!Directory.Exists(_run.FinalPolicyFolder) || Finished == _config.Iterations) SaveFinal();
        Evaluation? after = Judge("after", _run.FinalPolicyFolder, fresh: true, cancellation);
        var outcome = new RunOutcome(_config, _run, before, after, _warnings);
        outcome.WriteReport();
        return outcome;
    }

    private Dictionary<string, double> Iterate(int i, ProgressReport progress, long stepsEach, CancellationToken cancellation)
    {
        long started = Stopwatch.GetTimestamp();
        IterationPaths paths = _run.Iteration(i);
        CollectedRollouts drawn = _collector.Collect(i, paths, i == 1 ? _models.Policy : _run.Iteration(i - 1).Policy, cancellation);
        long afterScoring = Stopwatch.GetTimestamp();
        IReadOnlyList<ScoredRollout> rows = drawn.Rows;
        long stepsDone = 0;
        PolicyMetrics trained = _session.Iterate(drawn.ScoredFiles, rows, paths.Trajectories, (done, _) =>
        {
            progress.Advance(done - stepsDone, $"iteration {i}/{_config.Iterations}");
            stepsDone = done;
        }, cancellation, drawn.Others);
        progress.Advance(stepsEach - stepsDone);
        long afterOptimization = Stopwatch.GetTimestamp();
        ExportedPolicy exported = _session.ExportPolicy(paths.Policy);
        _generation.Engine.Reopen(PolicyFolder.Open(paths.Policy));

        Dictionary<string, double> row = trained.ToDictionary();
        foreach ((string name, double value) in RolloutStatistics.Of(rows).Concat(exported.ToDictionary())) row[name] = value;
        _tokensTotal += drawn.Tokens;
        row["tokens/total"] = _tokensTotal;
        double optimization = Seconds(afterScoring, afterOptimization), generation = drawn.GenerationSeconds;
        row["time/generation_seconds"] = generation;
        row["time/scoring_seconds"] = drawn.ScoringSeconds;
        row["time/optimization_seconds"] = optimization;
        row["time/generation_tokens_per_second"] = drawn.Tokens / generation;
        row["time/optimization_tokens_per_second"] = rows.Sum(r => (long)r.Rollout.PromptTokens.Length + r.Rollout.ResponseTokens.Length) * _config.Method.Epochs / optimization;
        long checkpoint = Stopwatch.GetTimestamp();
        FolderSeal.Write(paths.Folder);
        _session.SaveCheckpoint(_run.Checkpoint(i));
        row["time/checkpoint_seconds"] = Seconds(checkpoint, Stopwatch.GetTimestamp());
        row["time/iteration_seconds"] = Seconds(started, Stopwatch.GetTimestamp());
        row["time/peak_memory_bytes"] = Process.GetCurrentProcess().PeakWorkingSet64;
        Warn(i, row);
        return row;
    }

    /// <summary>Called when metrics and checkpoint are on disk; removes what is no longer needed to go on.</summary>
    private void Finish(int i)
    {
        Finished = i;
        int keep = _config.KeepCheckpoints;
        if (keep == 0 || i <= keep) return;
        int old = i - keep;
        if (Directory.Exists(_run.Checkpoint(old))) Directory.Delete(_run.Checkpoint(old), recursive: true);
        string policy = _run.Iteration(old).Policy;
        if (!Directory.Exists(policy)) return;
        Directory.Delete(policy, recursive: true);
        FolderSeal.Write(_run.Iteration(old).Folder);
    }

    private void SaveFinal()
    {
        _session.ExportPolicy(_run.FinalPolicyFolder);
        _session.Policy.Save(_run.FinalWeightsFolder, tokenizerFrom: _config.Policy);
    }

    private Evaluation? Judge(string name, string policy, bool fresh, CancellationToken cancellation)
    {
        if (_config.Evaluation.Prompts.Length == 0) return null;
        string folder = Path.Combine(_run.Root, "evaluation", name), file = Path.Combine(folder, "scored.parquet");
        if (!fresh && File.Exists(file)) return Evaluation.Of([.. ScoredFile.Read(file)]);
        string now = Finished == 0 ? _models.Policy : _run.Iteration(Finished).Policy;
        _generation.Engine.Reopen(PolicyFolder.Open(policy));
        Evaluation evaluation = Evaluation.Run(_config, _generation, _scoring, folder, cancellation);
        _generation.Engine.Reopen(PolicyFolder.Open(now));
        return evaluation;
    }

    private static void Warn(int i, Dictionary<string, double> row)
    {
        if (row["kl/k1_per_token"] < -0.02) Log.Warning($"iteration {i}: KL to the reference is {row["kl/k1_per_token"]:0.000} nats per token on average; it should not be negative for long. Are the responses drawn with a filter (top_k, top_p)?");
        if (row["entropy"] < 0.2) Log.Warning($"iteration {i}: entropy is {row["entropy"]:0.00} nats: the policy collapses to a few answers. Raise method.kl_coefficient or lower optimizer.learning_rate.");
        if (row["policy/ratio_max"] > 10) Log.Warning($"iteration {i}: a ratio reached {row["policy/ratio_max"]:0.0}; lower optimizer.learning_rate or method.epochs.");
        if (row["rollout/engine_logprob_gap_max"] > 0.05) Log.Warning($"iteration {i}: rollout engine and trainer differ by {row["rollout/engine_logprob_gap_max"]:0.000} nats on a token; expected below 0.05 in float32.");
    }

    private static bool HasMetrics(RunDirectory run, int iteration) => File.Exists(run.MetricsPath) && MetricsFile.Read(run.MetricsPath).Any(r => r.Iteration == iteration);

    private static void RemoveAfter(RunDirectory run, int iteration)
    {
        foreach (string root in (string[])[run.IterationsFolder, run.CheckpointsFolder])
        {
            if (!Directory.Exists(root)) continue;
            foreach (string folder in Directory.GetDirectories(root))
            {
                string name = Path.GetFileName(folder);
                bool number = int.TryParse(name, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out int n);
                if ((number && n > iteration) || name.EndsWith(WholeFile.PartialSuffix, StringComparison.Ordinal)) Directory.Delete(folder, recursive: true);
            }
        }
    }

    private static double Seconds(long from, long to) => Stopwatch.GetElapsedTime(from, to).TotalSeconds;

    public void Dispose()
    {
        Log.WarningTold -= _warnings.Add;
        _generation.Dispose();
        _scoring.Dispose();
        _session.Dispose();
    }
}
