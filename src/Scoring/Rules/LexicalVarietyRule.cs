namespace Rlhf.Scoring;

/// <summary>Moving-average type/token ratio (Covington and McFall 2010): mean share of different words over all windows of the same size.</summary>
public sealed class LexicalVarietyRule(RuleArguments arguments) : IRewardRule
{
    private readonly int _window = (int)arguments.Number("window", 50, 1, 1e6);

    public string Name => "variety";

    public double? Score(in RuleInput row)
    {
        List<string> words = Words.Of(row.Response);
        if (words.Count == 0) return 0;
        int window = Math.Min(_window, words.Count), windows = words.Count - window + 1;
        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        double sum = 0;
        for (int i = 0; i < words.Count; i++)
        {
            counts[words[i]] = counts.GetValueOrDefault(words[i]) + 1;
            if (i >= window && --counts[words[i - window]] == 0) counts.Remove(words[i - window]);
            if (i >= window - 1) sum += counts.Count;
        }

        return sum / windows / window;
    }
}
