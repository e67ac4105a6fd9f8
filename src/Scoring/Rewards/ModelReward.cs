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

    private ModelReward(RewardSourceConfig config, string name, IReadOnlyList<RewardModel> models, EnsembleRule ensemble, int workers)
        : base(name, config.Weight) => (_models, _ensemble, _responseOnly, _transform, _workers) = (models, ensemble, config.Input == RewardInput.Response, config.Transform, workers);

    internal override string Fingerprint => $"{_ensemble.Kind} {_ensemble.Penalty:R} {_responseOnly} {_transform} " + string.Join("; ", _models.Select(m => FileStamp.OfFolder(m.Folder)));

    /// <summary>The model is a folder, or <c>mean(DIR, DIR)</c>, <c>min(…)</c>, <c>mean-std*λ(…)</c>.</summary>
    public static ModelReward Open(RewardSourceConfig config, int threads)
    {
        string text = config.Model;
        int open = text.IndexOf('(', StringComparison.Ordinal);
        bool isEnsemble = open > 0 && text.EndsWith(')') && !Directory.Exists(text);
        EnsembleRule ensemble = EnsembleRule.Parse(isEnsemble ? text[..open].Trim() : "mean");
        string[] folders = isEnsemble ? text[(open + 1)..^1].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) : [text];
        if (folders.Length == 0) throw new ConfigurationException($"The ensemble '{text}' names no model folder; write {ensemble.Kind}(DIR, DIR).");
        var models = new List<RewardModel>();
        try
        {
            foreach (string folder in folders) models.Add(new RewardModel(folder, threads: 1)); // batches run side by side
            string name = config.Name.Length > 0 ? config.Name : isEnsemble ? "ensemble" : Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(text)));
            return new ModelReward(config, name, models, ensemble, BatchWorkers.Count(threads));
        }
        catch
        {
            foreach (RewardModel model in models) model.Dispose();
            throw;
        }
    }

    /// <returns>int[models][rows][] tokens.</returns>
    public override object? Prepare(IReadOnlyList<RuleInput> rows) =>
        _models.Select(m => rows.Select(r => m.Encode(_responseOnly ? r.Response : r.Prompt + r.Response)).ToArray()).ToArray();

    public override RewardValue[] Score(IReadOnlyList<RuleInput> rows, object? prepared, int batchTokens, CancellationToken cancellation)
    {
        int[][][] tokens = (int[][][])prepared!;
        long before = _models.Sum(m => m.TokensComputed);
        double[][] scores = [.. _models.Select((m, i) => m.ScoreAll(tokens[i], _workers, batchTokens, cancellation))];
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
