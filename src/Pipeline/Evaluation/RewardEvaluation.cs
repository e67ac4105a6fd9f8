using Rlhf.Algorithms;
using Rlhf.Core;
using Rlhf.Optimization;

namespace Rlhf.Pipeline;

/// <summary>A share or mean with its 95 % interval.</summary>
/// <param name="Value">The estimate.</param>
/// <param name="Low">Lower end.</param>
/// <param name="High">Upper end.</param>
/// <param name="Count">Observations.</param>
public sealed record Estimate(double Value, double Low, double High, int Count)
{
    /// <summary>A share with Wilson's interval; a tie counts half.</summary>
    public static Estimate Share(IReadOnlyCollection<double> hits)
    {
        double sum = hits.Sum();
        (double low, double high) = Wilson.Interval(sum, hits.Count);
        return new Estimate(hits.Count == 0 ? double.NaN : sum / hits.Count, low, high, hits.Count);
    }

    /// <summary>A statistic of groups that are drawn whole (bootstrap).</summary>
    public static Estimate Of(int groups, Func<int[], double> statistic, int count, ulong seed, uint address)
    {
        const int draws = 1000;
        (double low, double high) = Bootstrap.Interval(groups, statistic, draws, (d, i) => AddressedRandom.Uniform(seed, AddressedRandom.Stream.Probe, address, (uint)d, (uint)i));
        return new Estimate(groups == 0 ? double.NaN : statistic([.. Enumerable.Range(0, groups)]), low, high, count);
    }
}

/// <summary>Accuracy among examples of one kind.</summary>
public sealed record AccuracyPart(string Part, Estimate Accuracy);

/// <summary>Probabilities against outcomes.</summary>
/// <param name="Table">Bins with observations.</param>
/// <param name="ExpectedError">Of the probabilities as the model gives them.</param>
/// <param name="Temperature">T fitted on every other example.</param>
/// <param name="ExpectedErrorCalibrated">Of σ(z/T) on the examples that T was not fitted on.</param>
public sealed record CalibrationReport(IReadOnlyList<ReliabilityBin> Table, double ExpectedError, double Temperature, double ExpectedErrorCalibrated);

/// <summary>Does the reward follow length rather than quality?</summary>
/// <param name="ScoreLengthSpearman">Rank correlation of reward and tokens over all texts.</param>
/// <param name="LabelLengthSpearman">Rank correlation of label or score and tokens, where there are labels.</param>
/// <param name="LongerIsPreferred">Pairs and rankings: share of comparisons whose longer text is the better one in the data.</param>
/// <param name="LongerScoresHigher">… whose longer text has the higher reward.</param>
/// <param name="Parts">Accuracy by length.</param>
public sealed record LengthReport(double ScoreLengthSpearman, double? LabelLengthSpearman, Estimate? LongerIsPreferred, Estimate? LongerScoresHigher, IReadOnlyList<AccuracyPart> Parts);

/// <summary>How good a reward model is on held-out data, with 95 % intervals.</summary>
public sealed record RewardEvaluation
{
    private const int Bins = 10;

    public required string Objective { get; init; }

    public required int Examples { get; init; }

    /// <summary>Labels of texts or steps: right sides of 0. Comparisons: right orders (of every two answers of a ranking). Null for scores.</summary>
    public Estimate? Accuracy { get; init; }

    /// <summary>Labels: accuracy of always saying the more frequent one.</summary>
    public double? MoreFrequent { get; init; }

    /// <summary>Labels: area under the ROC curve; ½ is chance.</summary>
    public Estimate? RocArea { get; init; }

    /// <summary>Rankings: the best answer has the highest reward.</summary>
    public Estimate? BestFirst { get; init; }

    /// <summary>Scores: 1 − Σ(r − y)²/Σ(y − ȳ)².</summary>
    public Estimate? RSquared { get; init; }

    /// <summary>Scores: rank correlation.</summary>
    public Estimate? Spearman { get; init; }

    public CalibrationReport? Calibration { get; init; }

    /// <summary>Accuracy by |margin|: of the reward to 0 (labels), or between two texts; quarters, smallest first.</summary>
    public IReadOnlyList<AccuracyPart> ByMargin { get; init; } = [];

    public required LengthReport Length { get; init; }

    /// <summary>Judges scores.</summary>
    /// <param name="config">Objective and seed.</param>
    /// <param name="examples">Held-out examples.</param>
    /// <param name="scores">[examples][texts, or steps] rewards.</param>
    /// <param name="lengths">[examples][texts, or steps] tokens.</param>
    /// <param name="temperature">T that is saved with the model; 1: none.</param>
    public static RewardEvaluation Of(RewardModelConfig config, IReadOnlyList<RewardExample> examples, double[][] scores, int[][] lengths, double temperature = 1) => config.Objective switch
    {
        RewardObjective.Regression or RewardObjective.Huber => OfScores(config, examples, scores, lengths),
        RewardObjective.Binary or RewardObjective.Discriminator or RewardObjective.Process => OfLabels(config, examples, scores, lengths, temperature),
        _ => OfComparisons(config, examples, scores, lengths, temperature),
    };

    private static RewardEvaluation OfLabels(RewardModelConfig config, IReadOnlyList<RewardExample> examples, double[][] scores, int[][] lengths, double temperature)
    {
        // Texts, or steps: those of one answer depend on each other.
        double[] r = [.. scores.SelectMany(s => s)], labels = [.. examples.SelectMany(e => e.StepLabels ?? [e.Label])], tokens = [.. lengths.SelectMany(l => l.Select(n => (double)n))];
        double[] hits = [.. r.Zip(labels, (x, y) => x == 0 ? 0.5 : x > 0 == y > 0.5 ? 1.0 : 0)];
        int[][] own = Numbered(scores);
        Estimate Grouped(Func<int[], double> statistic, uint address) => Estimate.Of(own.Length, d => statistic([.. d.SelectMany(e => own[e])]), r.Length, config.Seed, address);
        double positive = labels.Average();
        return new RewardEvaluation
        {
            Objective = config.Objective.ToString(),
            Examples = examples.Count,
            Accuracy = config.Objective == RewardObjective.Process ? Grouped(d => d.Average(i => hits[i]), 4) : Estimate.Share(hits),
            MoreFrequent = Math.Max(positive, 1 - positive),
            RocArea = Grouped(d => RocCurve.Area([.. d.Select(i => r[i])], [.. d.Select(i => labels[i])]), 5),
            Calibration = Calibrated(r, labels, temperature, low: 0),
            ByMargin = Quarters("|reward|", [.. r.Select(Math.Abs)], hits),
            Length = new LengthReport(Correlation.Spearman(r, tokens), Correlation.Spearman(labels, tokens), null, null, Quarters("tokens", tokens, hits)),
        };
    }

    private static RewardEvaluation OfComparisons(RewardModelConfig config, IReadOnlyList<RewardExample> examples, double[][] scores, int[][] lengths, double temperature)
    {
        // Every two texts of an example, the better one first; pairs of one ranking depend on each other.
        var pairs = new List<(int Example, double Margin, int Better, int Worse)>();
        for (int e = 0; e < scores.Length; e++)
        {
            for (int a = 0; a < scores[e].Length; a++)
            {
                for (int b = a + 1; b < scores[e].Length; b++) pairs.Add((e, scores[e][a] - scores[e][b], lengths[e][a], lengths[e][b]));
            }
        }

        double[] margins = [.. pairs.Select(p => p.Margin)], hits = [.. margins.Select(m => m > 0 ? 1.0 : m == 0 ? 0.5 : 0)];
        bool ranked = config.Objective != RewardObjective.Pairwise;
        (double Sum, int Count)[] byExample = [.. Enumerable.Range(0, scores.Length).Select(_ => (0.0, 0))];
        for (int i = 0; i < pairs.Count; i++) byExample[pairs[i].Example] = (byExample[pairs[i].Example].Sum + hits[i], byExample[pairs[i].Example].Count + 1);
        int[] differ = [.. Enumerable.Range(0, pairs.Count).Where(i => pairs[i].Better != pairs[i].Worse)];
        double[] better = [.. differ.Select(i => pairs[i].Better > pairs[i].Worse ? 1.0 : 0)];
        double[] longer = [.. differ.Select(i => margins[i] == 0 ? 0.5 : margins[i] > 0 == pairs[i].Better > pairs[i].Worse ? 1.0 : 0)];
        int[] isLonger = [.. differ.Where((_, k) => better[k] == 1)], isShorter = [.. differ.Where((_, k) => better[k] == 0)];
        return new RewardEvaluation
        {
            Objective = config.Objective.ToString(),
            Examples = examples.Count,
            Accuracy = ranked ? Estimate.Of(scores.Length, d => d.Sum(e => byExample[e].Sum) / d.Sum(e => byExample[e].Count), pairs.Count, config.Seed, 1) : Estimate.Share(hits),
            BestFirst = ranked ? Estimate.Share([.. scores.Select(s => s.Skip(1).All(x => x < s[0]) ? 1.0 : s.Skip(1).Any(x => x > s[0]) ? 0 : 0.5)]) : null,
            // P(choice made) against whether it was right: a table that starts at one half.
            Calibration = Calibrated([.. margins.Select(Math.Abs)], hits, temperature, low: 0.5),
            ByMargin = Quarters("|margin|", [.. margins.Select(Math.Abs)], hits),
            Length = new LengthReport(
                Correlation.Spearman([.. scores.SelectMany(s => s)], [.. lengths.SelectMany(l => l.Select(n => (double)n))]), null, Estimate.Share(better), Estimate.Share(longer),
                [
                    new AccuracyPart("better text is longer", Estimate.Share([.. isLonger.Select(i => hits[i])])),
                    new AccuracyPart("better text is shorter", Estimate.Share([.. isShorter.Select(i => hits[i])])),
                ]),
        };
    }

    private static RewardEvaluation OfScores(RewardModelConfig config, IReadOnlyList<RewardExample> examples, double[][] scores, int[][] lengths)
    {
        double[] r = [.. scores.Select(s => s[0])], y = [.. examples.Select(e => e.Label)], tokens = [.. lengths.Select(l => (double)l[0])];
        double Squared(int[] drawn)
        {
            double mean = drawn.Average(i => y[i]);
            return 1 - (drawn.Sum(i => (r[i] - y[i]) * (r[i] - y[i])) / drawn.Sum(i => (y[i] - mean) * (y[i] - mean)));
        }

        return new RewardEvaluation
        {
            Objective = config.Objective.ToString(),
            Examples = examples.Count,
            RSquared = Estimate.Of(r.Length, Squared, r.Length, config.Seed, 2),
            Spearman = Estimate.Of(r.Length, d => Correlation.Spearman([.. d.Select(i => r[i])], [.. d.Select(i => y[i])]), r.Length, config.Seed, 3),
            Length = new LengthReport(Correlation.Spearman(r, tokens), Correlation.Spearman(y, tokens), null, null, []),
        };
    }

    /// <summary>[examples] numbers of each one's scores, counted over all.</summary>
    private static int[][] Numbered(double[][] scores)
    {
        int next = 0;
        return [.. scores.Select(s => s.Select(_ => next++).ToArray())];
    }

    private static CalibrationReport Calibrated(double[] logits, double[] outcomes, double temperature, double low)
    {
        double[] z = [.. logits.Select(x => x / temperature)];
        ReliabilityBin[] table = Binned(z, outcomes, 1, low);
        int[] fitted = [.. Enumerable.Range(0, z.Length).Where(i => i % 2 == 0)], judged = [.. Enumerable.Range(0, z.Length).Where(i => i % 2 == 1)];
        double t = fitted.Length == 0 ? double.NaN : Rlhf.Algorithms.Calibration.Temperature([.. fitted.Select(i => z[i])], [.. fitted.Select(i => outcomes[i])]);
        double after = Rlhf.Algorithms.Calibration.ExpectedError(Binned([.. judged.Select(i => z[i])], [.. judged.Select(i => outcomes[i])], t, low));
        return new CalibrationReport([.. table.Where(b => b.Count > 0)], Rlhf.Algorithms.Calibration.ExpectedError(table), t, after);
    }

    private static ReliabilityBin[] Binned(double[] logits, double[] outcomes, double temperature, double low) =>
        Rlhf.Algorithms.Calibration.Table([.. logits.Select(z => Rlhf.Algorithms.Logistic.Sigmoid(z / temperature))], outcomes, Bins, low);

    private static AccuracyPart[] Quarters(string name, double[] keys, double[] hits)
    {
        double[] sorted = [.. keys.Order()];
        double[] cuts = [double.NegativeInfinity, Bootstrap.Quantile(sorted, 0.25), Bootstrap.Quantile(sorted, 0.5), Bootstrap.Quantile(sorted, 0.75), double.PositiveInfinity];
        return
        [
            .. Enumerable.Range(0, 4).Select(q => new AccuracyPart(
                q == 0 ? FormattableString.Invariant($"{name} up to {cuts[1]:G3}") : q == 3 ? FormattableString.Invariant($"{name} above {cuts[3]:G3}") : FormattableString.Invariant($"{name} {cuts[q]:G3} to {cuts[q + 1]:G3}"),
                Estimate.Share([.. Enumerable.Range(0, keys.Length).Where(i => keys[i] > cuts[q] && keys[i] <= cuts[q + 1]).Select(i => hits[i])]))),
        ];
    }
}
