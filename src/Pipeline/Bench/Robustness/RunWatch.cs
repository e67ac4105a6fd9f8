using System.Diagnostics;
using System.Globalization;
using Rlhf.Core;

namespace Rlhf.Pipeline.Bench;

/// <summary>A stage that a process told.</summary>
/// <param name="At">Milliseconds since the process began.</param>
/// <param name="Iteration">From 1.</param>
/// <param name="Stage">Index into <see cref="KillPlan.Stages"/>.</param>
public readonly record struct StageSeen(double At, int Iteration, int Stage);

/// <summary>What one process tells while it runs: its stages and its minibatches.</summary>
public sealed class RunWatch
{
    private readonly Lock _gate = new();
    private readonly List<StageSeen> _stages = [];
    private readonly List<(int Iteration, int Minibatch, int Of)> _minibatches = [];
    private readonly long _began = Stopwatch.GetTimestamp();
    private int _continued;

    /// <summary>Takes a line of stderr.</summary>
    public void Take(string line)
    {
        lock (_gate)
        {
            if (line.StartsWith("iteration ", StringComparison.Ordinal) && line.Contains(" goes on ", StringComparison.Ordinal)) _continued++;
            if (RunPlace.Parse(line) is not { } told) return;
            int stage = KillPlan.Stages.ToList().IndexOf(told.What);
            string[] words = told.What.Split(' ');
            if (stage >= 0) _stages.Add(new StageSeen(Stopwatch.GetElapsedTime(_began).TotalMilliseconds, told.Iteration, stage));
            else if (words is ["minibatch", _, "of", _]) _minibatches.Add((told.Iteration, int.Parse(words[1], CultureInfo.InvariantCulture), int.Parse(words[3], CultureInfo.InvariantCulture)));
        }
    }

    /// <summary>Stages so far, in the order in which they were told.</summary>
    public IReadOnlyList<StageSeen> Stages
    {
        get
        {
            lock (_gate) return [.. _stages];
        }
    }

    /// <summary>Minibatches so far, with how many an iteration has.</summary>
    public IReadOnlyList<(int Iteration, int Minibatch, int Of)> Minibatches
    {
        get
        {
            lock (_gate) return [.. _minibatches];
        }
    }

    /// <summary>Iterations that went on from a checkpoint within them.</summary>
    public int Continued
    {
        get
        {
            lock (_gate) return _continued;
        }
    }
}
