using Rlhf.Core;

namespace Rlhf.Scoring;

/// <summary>A reward model, or several of them as an ensemble.</summary>
internal sealed class ModelReward : RewardSource
{
    private readonly IReadOnlyList<RewardModel> _models;
    private readonly EnsembleRule _ensemble;
    private readonly bool _responseOnly;
    private readonly string _transform;
    private readonly int _workers;
    private readonly string _per;
    private readonly int _maxLength;
    private readonly DenseTexts[]? _dense; // [models] where tokens or steps are rewarded

    private ModelReward(RewardSourceConfig config, string name, IReadOnlyList<RewardModel> models, EnsembleRule ensemble, int workers)
        : base(name, config.Weight)
    {
        (_models, _ensemble, _responseOnly, _transform, _workers) = (models, ensemble, config.Input == RewardInput.Response, config.Transform, workers);
        _maxLength = config.MaxLength;
        _per = config.Per == RewardPer.Step ? "step " + config.StepDelimiter : config.Per.ToString();
        if (config.Per != RewardPer.Sequence) _dense = [.. models.Select(m => new DenseTexts(name, m, config.Per, config.StepDelimiter, _responseOnly))];
    }

    public override long TokensPadded => _models.Sum(m => m.TokensPadded);

    internal override string Fingerprint => $"{_ensemble.Kind} {_ensemble.Penalty:R} {_responseOnly} {_transform} {_per} {_maxLength} " + string.Join("; ", _models.Select(m => FileStamp.OfFolder(m.Folder)));

    /// <summary>The model is a folder, or <c>mean(DIR, DIR)</c>, <c>min(…)</c>, <c>mean-std*λ(…)</c>.</summary>
    public static ModelReward Open(RewardSourceConfig config, int threads)
    {
        string text = config.Model;
        int open = text.IndexOf('(', StringComparison.Ordinal);
        bool isEnsemble = open > 0 && text.EndsWith(')') && !Directory.Exists(text);
        EnsembleRule ensemble = EnsembleRule.Parse(isEnsemble ? text[..open].Trim() : "mean");
        string[] folders = isEnsemble ? text[(open + 1)..^1].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) : [text];
        if (folders.Length == 0) throw new ConfigurationException($"The ensemble '{text}' names no model folder; write {ensemble.Kind}(DIR, DIR).");
        if (config.Per == RewardPer.Step && config.StepDelimiter.Length == 0)
            throw new ConfigurationException($"scoring.rewards: step_delimiter of '{config.Model}' is empty; it must be the text that a step ends with.");
        RewardModelUse use = config.Per == RewardPer.Sequence ? RewardModelUse.Scores : RewardModelUse.TokenScores;
        var models = new List<RewardModel>();
        try
        {
            foreach (string folder in folders) models.Add(new RewardModel(folder, threads: 1, config.MaxLength, use)); // batches run side by side
            string name = config.Name.Length > 0 ? config.Name : isEnsemble ? "ensemble" : Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(text)));
            return new ModelReward(config, name, models, ensemble, BatchWorkers.Count(threads));
        }
        catch
        {
            foreach (RewardModel model in models) model.Dispose();
            throw;
        }
    }

    /// <returns>int[models][rows][] tokens, or <see cref="DenseText"/>[models][rows].</returns>
    public override object? Prepare(IReadOnlyList<RuleInput> rows) => _dense is not null
        ? _dense.Select(d => rows.Select(r => d.Of(r)).ToArray()).ToArray()
        : _models.Select(m => rows.Select(r => m.Encode(_responseOnly ? r.Response : r.Prompt + r.Response, r.Place)).ToArray()).ToArray();

    public override RewardValue[] Score(IReadOnlyList<RuleInput> rows, object? prepared, int batchTokens, CancellationToken cancellation)
    {
        if (prepared is DenseText[][] dense) return Dense(dense, rows, batchTokens, cancellation);
        int[][][] tokens = (int[][][])prepared!;
        long before = _models.Sum(m => m.TokensComputed);
        double[][] scores = [.. _models.Select((m, i) => m.ScoreAll(tokens[i], _workers, batchTokens, cancellation, name: row => NameOf(rows[row])))];
        TokensScored += tokens.Sum(texts => texts.Sum(t => (long)t.Length));
        TokensComputed += _models.Sum(m => m.TokensComputed) - before;
        var result = new RewardValue[rows.Count];
        double[] own = new double[_models.Count];
        for (int i = 0; i < result.Length; i++)
        {
            for (int m = 0; m < own.Length; m++) own[m] = Transform(scores[m][i] / (_transform == "none" ? 1 : _models[m].Temperature));
            result[i] = new RewardValue(_ensemble.Join(own));
        }

        return result;
    }

    private RewardValue[] Dense(DenseText[][] texts, IReadOnlyList<RuleInput> rows, int batchTokens, CancellationToken cancellation)
    {
        float[][][] scores = [.. _models.Select((m, i) => TokenScores(m, texts[i], rows, batchTokens, cancellation))];
        double[] own = new double[_models.Count];
        var result = new RewardValue[rows.Count];
        for (int row = 0; row < result.Length; row++)
        {
            DenseText first = texts[0][row];
            if (texts.Any(t => t[row].Rewards.Length != first.Rewards.Length))
                throw new ConfigurationException($"{rows[row].Place}: the models of '{Name}' cut the response '{Excerpt.Of(rows[row].Response)}' into different tokens; an ensemble of token rewards needs one tokenizer.");
            float[] rewards = new float[first.Count];
            for (int k = 0; k < first.Rewards.Length; k++)
            {
                for (int m = 0; m < own.Length; m++) own[m] = Transform(scores[m][row][texts[m][row].Rewards[k].Read] / (_transform == "none" ? 1 : _models[m].Temperature));
                rewards[first.Rewards[k].Place] = (float)_ensemble.Join(own);
            }

            result[row] = new RewardValue(rewards.Sum(r => (double)r), rewards);
        }

        return result;
    }

    private float[][] TokenScores(RewardModel model, DenseText[] texts, IReadOnlyList<RuleInput> rows, int batchTokens, CancellationToken cancellation)
    {
        // A text without any token has nothing to be read.
        int[] filled = [.. Enumerable.Range(0, texts.Length).Where(i => texts[i].Tokens.Length > 0)];
        int[][] tokens = [.. filled.Select(i => texts[i].Tokens)];
        long before = model.TokensComputed;
        (_, float[][] found) = model.TokenScoresAll(tokens, _workers, batchTokens, cancellation, text => NameOf(rows[filled[text]]));
        TokensScored += tokens.Sum(t => (long)t.Length);
        TokensComputed += model.TokensComputed - before;
        float[][] all = new float[texts.Length][];
        for (int i = 0; i < filled.Length; i++) all[filled[i]] = found[i];
        return all;
    }

    private string NameOf(in RuleInput row) => $"{row.Place}, reward '{Name}'";

    /// <summary>σ(r/T) of a binary model (T as calibrated, else 1) is P(label = 1): bounded, so nothing is won by pushing a logit further and further.</summary>
    private double Transform(double score) => _transform switch
    {
        "sigmoid" => 1 / (1 + Math.Exp(-score)),
        "log_sigmoid" => Math.Min(score, 0) - Math.Log(1 + Math.Exp(-Math.Abs(score))),
        _ => score,
    };

    protected override void Dispose(bool disposing)
    {
        foreach (RewardModel model in _models) model.Dispose();
        base.Dispose(disposing);
    }
}
