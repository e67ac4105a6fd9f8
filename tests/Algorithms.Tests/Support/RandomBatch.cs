namespace Rlhf.Algorithms.Tests;

/// <summary>Random ragged columns: empty sequences, masked gaps, wholly masked sequences.</summary>
public sealed class RandomBatch
{
    private static readonly double[] Junk = [double.NaN, 1e4, -1e4, double.PositiveInfinity, double.NegativeInfinity];

    public RandomBatch(ulong seed, int sequences = 7, double logProbSpread = 0.4)
    {
        TestRandom random = new(seed);
        Lengths = [.. Enumerable.Range(0, sequences).Select(_ => random.Below(7))];
        Lengths[0] = 0;
        Lengths[1] = 3;
        Offsets = RaggedOffsets.FromLengths(Lengths);
        Mask = [.. Enumerable.Range(0, Offsets[^1]).Select(_ => random.Uniform() < 0.75)];
        for (int t = Offsets[1]; t < Offsets[2]; t++) Mask[t] = false;
        if (sequences > 2 && Lengths[2] > 0) Mask[Offsets[2]] = true;
        OldLogProbs = [.. random.Normals(Tokens).Select(x => -1.5 - (0.5 * x))];
        LogProbs = [.. OldLogProbs.Select(x => x + (logProbSpread * random.Normal()))];
        RolloutLogProbs = [.. OldLogProbs.Select(x => x + (0.3 * random.Normal()))];
        ReferenceLogProbs = [.. OldLogProbs.Select(x => x + (0.5 * random.Normal()))];
        Advantages = random.Normals(Tokens);
        Values = random.Normals(Tokens);
        OldValues = [.. Values.Select(x => x + (0.3 * random.Normal()))];
        Returns = random.Normals(Tokens);
        Rewards = random.Normals(Tokens);
        Entropies = [.. random.Normals(Tokens).Select(Math.Abs)];
        Corrections = [.. Enumerable.Range(0, Tokens).Select(_ => random.Uniform(0, 2))];
        Scores = random.Normals(sequences);
        Weights = Weight(LossAggregation.TokenMean);
    }

    public int[] Lengths { get; }
    public int[] Offsets { get; }
    public bool[] Mask { get; set; }
    public double[] LogProbs { get; set; }
    public double[] OldLogProbs { get; set; }
    public double[] RolloutLogProbs { get; set; }
    public double[] ReferenceLogProbs { get; set; }
    public double[] Advantages { get; set; }
    public double[] Values { get; set; }
    public double[] OldValues { get; set; }
    public double[] Returns { get; set; }
    public double[] Rewards { get; set; }
    public double[] Entropies { get; set; }
    public double[] Corrections { get; set; }
    public double[] Scores { get; set; }
    public double[] Weights { get; set; }

    public int Tokens => Offsets[^1];
    public int Sequences => Lengths.Length;

    public double[] Weight(LossAggregation aggregation, int constantLength = 5)
    {
        double[] weights = new double[Tokens];
        AggregationWeights.Fill(aggregation, AggregationWeights.Count(Offsets, Mask), Offsets, Mask, weights, constantLength);
        return weights;
    }

    /// <summary>The column with junk at masked places.</summary>
    public double[] Spoil(double[] column, int shift = 0) => [.. column.Select((x, t) => Mask[t] ? x : Junk[(t + shift) % Junk.Length])];

    public RandomBatch Spoiled(ulong seed)
    {
        RandomBatch copy = new(seed)
        {
            Mask = Mask,
            LogProbs = Spoil(LogProbs),
            OldLogProbs = Spoil(OldLogProbs, 1),
            RolloutLogProbs = Spoil(RolloutLogProbs, 2),
            ReferenceLogProbs = Spoil(ReferenceLogProbs, 3),
            Advantages = Spoil(Advantages, 4),
            Values = Spoil(Values, 1),
            OldValues = Spoil(OldValues, 2),
            Returns = Spoil(Returns, 3),
            Rewards = Spoil(Rewards, 4),
            Entropies = Spoil(Entropies),
            Corrections = Spoil(Corrections, 2),
            Weights = Spoil(Weights, 1),
        };
        return copy;
    }

    public PolicyBatch Policy(double[]? logProbs = null, bool corrected = true) => new()
    {
        Offsets = Offsets,
        ResponseMask = Mask,
        LogProbs = logProbs ?? LogProbs,
        OldLogProbs = OldLogProbs,
        Advantages = Advantages,
        Weights = Weights,
        Corrections = corrected ? Corrections : [],
    };

    /// <summary>Sequences first .. last − 1 as a batch of their own, with the weights of the whole.</summary>
    public PolicyBatch Policy(int first, int last, out Range tokens)
    {
        tokens = Offsets[first]..Offsets[last];
        return new PolicyBatch
        {
            Offsets = Offsets[first..(last + 1)].Select(o => o - Offsets[first]).ToArray(),
            ResponseMask = Mask[tokens],
            LogProbs = LogProbs[tokens],
            OldLogProbs = OldLogProbs[tokens],
            Advantages = Advantages[tokens],
            Weights = Weights[tokens],
            Corrections = Corrections[tokens],
        };
    }

    public IEnumerable<int> TrainedOf(int sequence) => Enumerable.Range(Offsets[sequence], Lengths[sequence]).Where(t => Mask[t]);
}
