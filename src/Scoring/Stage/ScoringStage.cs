using System.Globalization;
using Rlhf.Core;
using Rlhf.Tokenization;
using Rlhf.Trajectories;

namespace Rlhf.Scoring;

/// <summary>
/// Scores any table row by row in windows: rewards, their weighted sum, reference log-probs. Every input column is kept, rows stay in order,
/// memory does not grow with the file. A run that was stopped goes on after its last finished window. Engines stay open between runs, so
/// the loop and the executable share this class.
/// </summary>
public sealed class ScoringStage : IDisposable
{
    /// <summary>Rows that are sorted by length together; a few megabytes of text.</summary>
    public const int WindowRows = 4096;

    private readonly List<RewardSource> _sources;
    private readonly LogProbScorer? _reference;
    private readonly Tokenizer? _referenceTokenizer;
    private readonly int _threads;

    /// <param name="rewards">Models and rules.</param>
    /// <param name="reference">Policy folder for reference log-probs; empty: none.</param>
    /// <param name="threads">0: all cores.</param>
    /// <param name="outside">Rewards from programs, endpoints and assemblies.</param>
    public ScoringStage(IReadOnlyList<RewardSourceConfig> rewards, string reference, int threads, IReadOnlyList<OutsideReward>? outside = null)
    {
        if (rewards.Count == 0 && reference.Length == 0 && outside is not { Count: > 0 })
        {
            throw new ConfigurationException("Nothing to score with: give at least one --reward-model, --rule or --reference.");
        }

        _threads = threads;
        _sources = [.. RewardSource.Open(rewards, threads, outside)];
        try
        {
            if (reference.Length == 0) return;
            _reference = new LogProbScorer(reference, threads: 1); // batches run side by side
            _referenceTokenizer = Tokenizer.Open(reference);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>What it adds to a table, in words.</summary>
    public string What => $"{_sources.Count} rewards{(_reference is null ? "" : " and reference log-probs")}";

    /// <summary>Real tokens that models have read in all runs so far.</summary>
    public long TokensScored => _sources.Sum(s => s.TokensScored) + (_reference?.TokensScored ?? 0);

    /// <summary>Tokens that models have computed in all runs so far, padding included.</summary>
    public long TokensComputed => _sources.Sum(s => s.TokensComputed) + (_reference?.TokensComputed ?? 0);

    /// <summary>Of them those that only filled rows up to the longest of their batch.</summary>
    public long TokensPadded => _sources.Sum(s => s.TokensPadded) + (_reference?.TokensPadded ?? 0);

    /// <summary>Goes on with another model (or rule) in place of the reward of the same name.</summary>
    /// <param name="reward">Named.</param>
    /// <exception cref="ConfigurationException">No reward has the name.</exception>
    /// <exception cref="BadModelException">The model cannot be opened; the one before stays.</exception>
    public void ReplaceReward(RewardSourceConfig reward)
    {
        int at = _sources.FindIndex(s => s.Name == reward.Name);
        if (at < 0) throw new ConfigurationException($"No reward is named '{reward.Name}'; there are {string.Join(", ", _sources.Select(s => s.Name))}.");
        RewardSource next = RewardSource.OpenOne(reward, _threads);
        _sources[at].Dispose();
        _sources[at] = next;
    }

    /// <summary>Scores a file.</summary>
    /// <param name="job">Input, output and columns.</param>
    /// <param name="progress">Called after each window, first for those of an earlier run, and as rows are written.</param>
    /// <param name="cancellation">Honoured between batches; finished windows are kept for the next run, the output is not there.</param>
    /// <exception cref="BadDataException">A file, column or row is bad, or the output cannot be written.</exception>
    /// <exception cref="NumericalException">A reward is not finite.</exception>
    public ScoringSummary Run(ScoringJob job, Action<ScoringProgress>? progress = null, CancellationToken cancellation = default)
    {
        using ScoringRows rows = Rows(job);
        ScoreColumns columns = Columns(job, tokenRewards: false);
        _ = columns.Replaced(job.Input, rows.FileColumns); // before the work: what would be lost stops the run
        (long First, long Count)? range = Range(job, rows);
        using ScoringWork work = ScoringWork.Open(job.Output, Fingerprint(job), _sources.Count);
        if (work.Rows > 0) Log.Info($"{job.Output}: a run was stopped after {work.Rows.ToString("N0", CultureInfo.InvariantCulture)} rows; going on from there.");
        try
        {
            Compute(job, rows, range, work, progress, cancellation);

            // Whether a reward from outside is per token shows only in what it gave.
            columns = Columns(job, work.HasTokenRewards);
            IReadOnlyList<string> replaced = columns.Replaced(job.Input, rows.FileColumns);
            if (replaced.Count > 0) Log.Info($"{job.Input} has {string.Join(", ", replaced)} of a scoring before; {job.Output} has the new ones instead.");
            var tally = new ScoringTally(_sources, new RowPlace(job.Input, range?.First ?? 0));
            ScoredFile.Augment(job.Input, job.Output, Written(work, progress, cancellation).Select(r => tally.Add(r)), columns, range, cancellation);
            work.Complete();
            return tally.Summary();
        }
        catch (OperationCanceledException) when (work.Rows > 0)
        {
            throw new InterruptedException($"Interrupted after {work.Rows} rows, which are kept. The same command goes on from there.");
        }
    }

    /// <summary>Reads what a run would read of its input before any row, and computes nothing.</summary>
    /// <returns>Rows that would be scored.</returns>
    /// <exception cref="BadDataException">A file or column is bad, or a column would be lost.</exception>
    public long Check(ScoringJob job)
    {
        using ScoringRows rows = Rows(job);
        _ = Columns(job, tokenRewards: false).Replaced(job.Input, rows.FileColumns);
        return Range(job, rows)?.Count ?? rows.Count();
    }

    private ScoringRows Rows(ScoringJob job)
    {
        _ = FileFormats.Of(job.Output);
        DataFiles.RefuseInput(job.Output, job.Input);
        return new ScoringRows(job, _sources.SelectMany(s => s.Columns), _sources.Exists(s => s.ReadsMetadata));
    }

    private ScoreColumns Columns(ScoringJob job, bool tokenRewards) => new()
    {
        Rewards = _sources.Count > 0, TokenRewards = tokenRewards, Reference = _reference is not null, ScoreName = job.ScoreColumn, RewardsName = job.RewardsColumn,
    };

    private static (long First, long Count)? Range(ScoringJob job, ScoringRows rows) => job.Shard is { } shard ? shard.Range(rows.Count()) : null;

    private static IEnumerable<RowResult> Written(ScoringWork work, Action<ScoringProgress>? progress, CancellationToken cancellation)
    {
        long rows = 0;
        foreach (RowResult row in work.Read())
        {
            yield return row;
            if (++rows % WindowRows != 0 && rows != work.Rows) continue;
            progress?.Invoke(new ScoringProgress(rows, 0, IsWriting: true));
            cancellation.ThrowIfCancellationRequested(); // what is computed stays for the next run
        }
    }

    private void Compute(ScoringJob job, ScoringRows rows, (long First, long Count)? range, ScoringWork work, Action<ScoringProgress>? progress, CancellationToken cancellation)
    {
        long before = work.Rows;
        foreach (Window window in LookAhead.Of(Prepared(rows.Windows(job.WindowRows, range), before), cancellation))
        {
            cancellation.ThrowIfCancellationRequested();
            if (window.Prepared is { } prepared)
            {
                RewardValue[][] rewards = [.. _sources.Select((s, i) => s.Score(window.Inputs, prepared[i], job.BatchTokens, cancellation))];
                float[][]? reference = window.Sequences is null ? null : Reference(window.Rows, window.Sequences, job, cancellation);
                RowResult[] results = [.. window.Rows.Select((_, i) => new RowResult([.. rewards.Select(r => r[i])], reference?[i]))];
                for (int i = 0; i < results.Length; i++) ScoringTally.ThrowIfLengthsDiffer(_sources, results[i].Rewards, window.Inputs[i].Place);
                work.Append(results);
            }

            progress?.Invoke(new ScoringProgress(window.Seen, before, IsWriting: false));
        }
    }

    // Reading and tokenising, on a thread beside the one that computes. Windows of an earlier run are only counted.
    private IEnumerable<Window> Prepared(IEnumerable<List<ScoringRow>> windows, long before)
    {
        long seen = 0;
        foreach (List<ScoringRow> rows in windows)
        {
            seen += rows.Count;
            if (seen <= before)
            {
                yield return new Window(seen, rows, [], null, null);
                continue;
            }

            RuleInput[] inputs = [.. rows.Select(r => r.Input)];
            yield return new Window(seen, rows, inputs, [.. _sources.Select(s => s.Prepare(inputs))], _reference is null ? null : [.. rows.Select(Tokens)]);
        }
    }

    /// <summary>Some rows, ready to be computed.</summary>
    /// <param name="Seen">Rows up to the end of this window.</param>
    /// <param name="Rows">The rows.</param>
    /// <param name="Inputs">What rewards see.</param>
    /// <param name="Prepared">[sources]; null: an earlier run has computed the window.</param>
    /// <param name="Sequences">Tokens for the reference, where there is one.</param>
    private sealed record Window(long Seen, List<ScoringRow> Rows, RuleInput[] Inputs, object?[]? Prepared, (int[] Prompt, int[] Response)[]? Sequences);

    private float[][] Reference(List<ScoringRow> window, (int[] Prompt, int[] Response)[] sequences, ScoringJob job, CancellationToken cancellation)
    {
        float[][] logProbs = new float[window.Count][];
        // Rows drawn at different temperatures cannot share a batch; an empty response has nothing to be scored.
        for (int i = 0; i < logProbs.Length; i++) logProbs[i] = [];
        IEnumerable<int> filled = Enumerable.Range(0, window.Count).Where(i => sequences[i].Response.Length > 0);
        foreach (IGrouping<double, int> group in filled.GroupBy(i => window[i].Temperature ?? job.Temperature))
            _reference!.ScoreAll(sequences, [.. group], group.Key, logProbs, _threads, job.BatchTokens, cancellation);

        return logProbs;
    }

    private (int[] Prompt, int[] Response) Tokens(ScoringRow row)
    {
        if (row.Tokens is { } ids) TokenIds.Check(row.Input.Place, ids, _reference!.VocabularySize, $"the reference in {_reference.Folder}");
        (int[] prompt, int[] response) = row.Tokens ?? (_referenceTokenizer!.EncodePrompt(row.Input.Prompt), _referenceTokenizer.Encode(row.Input.Response));
        if (prompt.Length == 0)
        {
            throw new BadDataException($"{row.Input.Place}: reference log-probs need at least one token before the response (a prompt, or a BOS that the tokenizer adds); found none.");
        }

        int total = prompt.Length + response.Length;
        if (total - 1 > _reference!.MaxLength)
        {
            throw new BadDataException($"{row.Input.Place}: prompt and response have {total} tokens; the reference in {_reference.Folder} reads {_reference.MaxLength}. Shorten the row or use a model with a longer context.");
        }

        return (prompt, response);
    }

    // All that the numbers depend on, this program's own code included.
    private string Fingerprint(ScoringJob job) => string.Join('\n',
    [
        typeof(ScoringStage).Module.ModuleVersionId.ToString(), FileStamp.OfInput(job.Input), job.PromptColumn, job.ResponseColumn, $"{job.BatchTokens} {job.WindowRows} {job.Temperature:R} {_threads} {job.Shard}",
        _reference is null ? "" : FileStamp.OfFolder(_reference.Folder),
        .. _sources.Select(s => $"{s.Name}: {s.Fingerprint}"),
    ]);

    public void Dispose()
    {
        foreach (RewardSource source in _sources) source.Dispose();
        _reference?.Dispose();
        _referenceTokenizer?.Dispose();
    }
}
