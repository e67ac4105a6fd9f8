namespace Rlhf.Scoring;

/// <summary>−(n-grams seen before in the response) / (n-grams), in [−1, 0]; 0 when the response is shorter than n words.</summary>
public sealed class RepetitionRule(RuleArguments arguments) : IRewardRule
{
    private readonly int _n = (int)arguments.Number("n", 3, 1, 100);

    public string Name => "repetition";

    public double? Score(in RuleInput row)
    {
        List<string> words = Words.Of(row.Response);
        int count = words.Count - _n + 1, repeated = 0;
        if (count <= 0) return 0;
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (int i = 0; i < count; i++)
        {
            if (!seen.Add(string.Join(' ', words.GetRange(i, _n)))) repeated++;
        }

        return repeated == 0 ? 0 : -(double)repeated / count;
    }
}
