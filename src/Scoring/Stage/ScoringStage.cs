using Rlhf.Core;
using Rlhf.Tokenization;
using Rlhf.Trajectories;

namespace Rlhf.Scoring;

/// <summary>What a scoring run did.</summary>
/// <param name="Rows">Rows written.</param>
/// <param name="Excluded">Rows without a score because a reward did not apply.</param>
/// <param name="Means">Mean of each reward over the rows that have it.</param>
/// <param name="MeanScore">Mean weighted sum.</param>
/// <param name="Tokens">Real tokens that reward models read.</param>
public sealed record ScoringSummary(long Rows, long Excluded, IReadOnlyDictionary<string, double> Means, double MeanScore, long Tokens);

/// <summary>
/// Scores any table row by row in windows: rewards, their weighted sum, reference log-probs. Every input column is kept, rows stay in order,
/// memory does not grow with the file. Engines stay open between runs, so the loop and the executable share this class.
/// </summary>
public sealed class ScoringStage : IDisposable
{
    /// <summary>Rows that are sorted by length together; a few megabytes of text.</summary>
    public const int WindowRows = 4096;

    private readonly IReadOnlyList<RewardSource> _sources;
    private readonly LogProbScorer? _reference;
    private readonly Tokenizer? _referenceTokenizer;

    /// <param name="rewards">Models and rules.</param>
    /// <param name="reference">Policy folder for reference log-probs; empty: none.</param>
    /// <param name="threads">0: all cores.</param>
    public ScoringStage(IReadOnlyList<RewardSourceConfig> rewards, string reference, int threads)
    {
        if (rewards.Count == 0 && reference.Length == 0)
        {
            throw new ConfigurationException("Nothing to score with: give at least one --reward-model, --rule or --reference.");
        }

        _sources = RewardSource.Open(rewards, threads);
        if (reference.Length == 0) return;
        _reference = new LogProbScorer(reference, threads);
        _referenceTokenizer = Tokenizer.Open(reference);
    }

    /// <summary>Scores a file.</summary>
    /// <param name="job">Input, output and columns.</param>
    /// <param name="progress">Called with (rows done) after each window.</param>
    /// <param name="cancellation">Honoured between batches; nothing half-written stays.</param>
    public ScoringSummary Run(ScoringJob job, Action<long>? progress = null, CancellationToken cancellation = default)
    {
        var tally = new Tally(_sources);
        ScoredFile.Augment(job.Input, job.Output, Windows(job, tally, progress, cancellation));
        return tally.Summary(_sources.Sum(s => s.TokensScored));
    }

    private IEnumerable<RowScores> Windows(ScoringJob job, Tally tally, Action<long>? progress, CancellationToken cancellation)
    {
        using var rows = new ScoringRows(job);
        foreach (List<ScoringRow> window in rows.Windows(WindowRows))
        {
            RuleInput[] inputs = [.. window.Select(r => r.Input)];
            double?[][] rewards = [.. _sources.Select(s => s.Score(inputs, job.BatchTokens, cancellation))];
            float[][]? reference = _reference is null ? null : Reference(window, job, cancellation);
            for (int i = 0; i < window.Count; i++) yield return tally.Row(i, rewards, reference?[i]);
            progress?.Invoke(tally.Rows);
        }
    }

    private float[][] Reference(List<ScoringRow> window, ScoringJob job, CancellationToken cancellation)
    {
        (int[] Prompt, int[] Response)[] sequences = [.. window.Select(Tokens)];
        float[][] logProbs = new float[window.Count][];
        // Rows drawn at different temperatures cannot share a batch.
        foreach (IGrouping<double, int> group in Enumerable.Range(0, window.Count).GroupBy(i => window[i].Temperature ?? job.Temperature))
        {
            int[] members = [.. group];
            foreach (int[] batch in TokenBudget.Cut([.. members.Select(i => sequences[i].Prompt.Length + sequences[i].Response.Length)], job.BatchTokens))
            {
                cancellation.ThrowIfCancellationRequested();
                _reference!.Score(sequences, [.. batch.Select(i => members[i])], group.Key, logProbs);
            }
        }

        return logProbs;
    }

    private (int[] Prompt, int[] Response) Tokens(ScoringRow row)
    {
        if (row.Tokens is { } drawn) return drawn;
        int[] prompt = _referenceTokenizer!.EncodePrompt(row.Input.Prompt), response = _referenceTokenizer.Encode(row.Input.Response);
        if (prompt.Length == 0 || response.Length == 0)
        {
            throw new BadDataException($"row {row.Number}: reference log-probs need at least one token of prompt (or a BOS) and of response; found {prompt.Length} and {response.Length}.");
        }

        return (prompt, response);
    }

    public void Dispose()
    {
        foreach (RewardSource source in _sources) source.Dispose();
        _reference?.Dispose();
        _referenceTokenizer?.Dispose();
    }

    /// <summary>Weighted sums and running means.</summary>
    private sealed class Tally(IReadOnlyList<RewardSource> sources)
    {
        private readonly double[] _sums = new double[sources.Count];
        private readonly long[] _counts = new long[sources.Count];
        private double _scoreSum;
        private long _excluded;

        public long Rows { get; private set; }

        public RowScores Row(int i, double?[][] rewards, float[]? reference)
        {
            var named = new Dictionary<string, double>(StringComparer.Ordinal);
            double? score = sources.Count == 0 ? null : 0;
            for (int s = 0; s < sources.Count; s++)
            {
                if (rewards[s][i] is not { } reward)
                {
                    score = null;
                    continue;
                }

                named[sources[s].Name] = reward;
                score += sources[s].Weight * reward;
                _sums[s] += reward;
                _counts[s]++;
            }

            Rows++;
            if (score is { } value) _scoreSum += value;
            else if (sources.Count > 0) _excluded++;
            return new RowScores { Rewards = named, Score = score, ReferenceLogprobs = reference };
        }

        public ScoringSummary Summary(long tokens)
        {
            var means = new Dictionary<string, double>(StringComparer.Ordinal);
            for (int s = 0; s < sources.Count; s++) means[sources[s].Name] = _counts[s] == 0 ? double.NaN : _sums[s] / _counts[s];
            long scored = Rows - _excluded;
            return new ScoringSummary(Rows, _excluded, means, scored == 0 ? double.NaN : _scoreSum / scored, tokens);
        }
    }
}
