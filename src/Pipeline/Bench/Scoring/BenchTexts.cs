using Rlhf.Core;
using Rlhf.Optimization;
using Rlhf.Tokenization;

namespace Rlhf.Pipeline.Bench;

/// <summary>Texts to be scored: real ones, or made-up ones whose lengths are spread as IMDb reviews' are.</summary>
internal static class BenchTexts
{
    /// <summary>
    /// Of 4 996 IMDb reviews (every fifth of the training set), those of up to 32, 64, … 512 tokens under the shipped tokenizer; the last number
    /// holds all longer ones, which are cut at 512. Mean 300.
    /// </summary>
    private static readonly int[] ImdbLengths = [2, 62, 216, 185, 250, 647, 615, 421, 386, 286, 223, 174, 166, 136, 127, 1100];

    public static (List<string> Texts, bool Real) Read(ScoringBenchOptions options, string tokenizerFolder, int maxLength)
    {
        string[] present = [.. options.Data.Where(File.Exists)];
        if (present.Length > 0)
        {
            var replace = new Dictionary<string, string> { ["<br />"] = "\n" };
            List<string> texts = [.. TextRows.Read(present, [options.Column], replace).Select(r => r.Texts[0]).OfType<string>().Where(t => t.Length > 0).Take(options.Rows)];
            return (texts, true);
        }

        using Tokenizer tokenizer = Tokenizer.Open(tokenizerFolder);
        return ([.. Enumerable.Range(0, options.Rows).Select(i => MadeUp(tokenizer, i, maxLength))], false);
    }

    // Tokens drawn evenly and decoded: encoding gives about as many again.
    private static string MadeUp(Tokenizer tokenizer, int row, int maxLength)
    {
        double U(uint c) => AddressedRandom.Uniform(1, AddressedRandom.Stream.Data, 0xBE, (uint)row, c);
        double rank = U(0) * ImdbLengths.Sum();
        int bin = 0;
        while (rank >= ImdbLengths[bin]) rank -= ImdbLengths[bin++];
        double width = maxLength / (double)ImdbLengths.Length;
        int length = bin == ImdbLengths.Length - 1 ? maxLength : Math.Max(2, (int)((bin + (rank / ImdbLengths[bin])) * width));
        int[] tokens = [.. Enumerable.Range(0, length).Select(t => 3 + (int)(U((uint)t + 1) * (tokenizer.VocabularySize - 3)))];
        return "x" + tokenizer.Decode(tokens).Replace('\0', ' ');
    }
}
