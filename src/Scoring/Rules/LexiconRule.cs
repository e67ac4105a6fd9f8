using System.Globalization;
using Rlhf.Core;

namespace Rlhf.Scoring;

/// <summary>Sum, or mean over all words, of the weights of the words that a lexicon lists.</summary>
public sealed class LexiconRule : IRewardRule
{
    private static readonly string[] Positive =
        ["amazing", "beautiful", "best", "brilliant", "charming", "classic", "delightful", "enjoy", "enjoyable", "enjoyed", "excellent", "fantastic", "favorite", "fun", "funny", "gem",
         "good", "great", "hilarious", "incredible", "love", "loved", "masterpiece", "moving", "outstanding", "perfect", "recommend", "superb", "terrific", "touching", "wonderful"];

    private static readonly string[] Negative =
        ["annoying", "awful", "bad", "bored", "boring", "cheap", "crap", "disappointing", "disappointment", "dull", "dumb", "fails", "horrible", "lame", "mediocre", "mess",
         "pathetic", "pointless", "poor", "poorly", "predictable", "ridiculous", "stupid", "terrible", "trash", "ugly", "waste", "weak", "worse", "worst", "worthless"];

    private readonly Dictionary<string, double> _weights = new(StringComparer.Ordinal);
    private readonly bool _perWord;
    private readonly string _file;

    public LexiconRule(RuleArguments arguments)
    {
        _file = arguments.Text("file", "");
        _perWord = arguments.Flag("per_word", true);
        if (_file.Length > 0)
        {
            Load(_file);
            return;
        }

        foreach (string word in Positive) _weights[word] = 1;
        foreach (string word in Negative) _weights[word] = -1;
    }

    public string Name => "lexicon";

    public IReadOnlyList<string> Files => _file.Length > 0 ? [_file] : [];

    public double? Score(in RuleInput row)
    {
        List<string> words = Words.Of(row.Response);
        double sum = 0;
        foreach (string word in words) sum += _weights.GetValueOrDefault(word);
        return _perWord ? (words.Count == 0 ? 0 : sum / words.Count) : sum;
    }

    private void Load(string file)
    {
        if (!File.Exists(file)) throw new BadDataException($"Rule 'lexicon': there is no file '{file}'. Give a text file of 'word<TAB>weight' lines.");
        int number = 0;
        foreach (string line in File.ReadLines(file))
        {
            number++;
            if (line.Length == 0 || line[0] == '#') continue;
            string[] parts = line.Split('\t');
            if (parts.Length != 2 || !double.TryParse(parts[1], NumberStyles.Float, CultureInfo.InvariantCulture, out double weight) || !double.IsFinite(weight))
            {
                throw new BadDataException($"{file}:{number}: '{line}' is not a word, a tab and a number.");
            }

            _weights[parts[0].Trim().ToLowerInvariant()] = weight;
        }

        if (_weights.Count == 0) throw new BadDataException($"Rule 'lexicon': '{file}' lists no word.");
    }
}
