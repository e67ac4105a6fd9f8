namespace Rlhf.Pipeline.Bench;

/// <summary>What the processes that one signal ended had done and the next ones did again.</summary>
/// <param name="Signal">KILL, INT, TERM, or two of them.</param>
/// <param name="Ends">Processes that it ended.</param>
/// <param name="InTraining">Of these, while an iteration was trained.</param>
/// <param name="Minibatches">Trained, and trained again.</param>
/// <param name="Stages">Generations and scorings that were finished, and made again.</param>
public sealed record LostBySignal(string Signal, int Ends, int InTraining, int Minibatches, int Stages);

/// <summary>
/// Counts lost work from what the processes tell. A process's work is where its last minibatch is; what the next one that trains does not go on from is lost,
/// and the signal that ended the first one is to blame.
/// </summary>
public sealed class LostWork
{
    private readonly SortedDictionary<string, LostBySignal> _lost = new(StringComparer.Ordinal);
    private readonly HashSet<(int Iteration, int Stage)> _finished = [];
    private (int Iteration, int Minibatch, string Signal)? _last;
    private string _signal = "";

    public IReadOnlyCollection<LostBySignal> Lost => _lost.Values;

    /// <summary>Adds a process.</summary>
    /// <param name="watch">What it told.</param>
    /// <param name="signal">How it was ended; empty: it came to its own end.</param>
    public void Add(RunWatch watch, string signal)
    {
        IReadOnlyList<(int Iteration, int Minibatch, int Of)> trained = watch.Minibatches;
        if (trained.Count > 0 && _last is { Signal.Length: > 0 } before)
        {
            (int iteration, int minibatch, int of) = trained[0];
            Blame(before.Signal, Math.Max(0, ((before.Iteration - iteration) * of) + before.Minibatch - (minibatch - 1)), 0);
        }

        if (trained.Count > 0) _last = (trained[^1].Iteration, trained[^1].Minibatch, signal);
        foreach (StageSeen seen in watch.Stages.Where(s => s.Stage is 1 or 2 or KillPlan.Optimization))
        {
            if (_finished.Contains((seen.Iteration, seen.Stage))) Blame(_signal, 0, 1);
            for (int earlier = 1; earlier < seen.Stage; earlier++) _finished.Add((seen.Iteration, earlier));
        }

        _signal = signal;
        if (signal.Length == 0) return;
        LostBySignal now = Of(signal);
        StageSeen? at = watch.Stages.Cast<StageSeen?>().LastOrDefault(s => s!.Value.Stage is not (KillPlan.Checkpoint or KillPlan.CleanUp));
        bool within = at is { Stage: KillPlan.Optimization };
        _lost[signal] = now with { Ends = now.Ends + 1, InTraining = now.InTraining + (within ? 1 : 0) };
    }

    private void Blame(string signal, int minibatches, int stages)
    {
        LostBySignal now = Of(signal);
        _lost[signal] = now with { Minibatches = now.Minibatches + minibatches, Stages = now.Stages + stages };
    }

    private LostBySignal Of(string signal) => _lost.GetValueOrDefault(signal) ?? new LostBySignal(signal, 0, 0, 0, 0);
}
