using System.Text;
using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Tokenization.Bpe;

namespace Rlhf.Tokenization.Tests;

public sealed class BpeTrainerTests
{
    private static string[] Pieces(BpeModel model) =>
        [.. model.PieceBytes().Skip(model.FirstMergeId).Select(piece => Encoding.UTF8.GetString(piece))];

    [Test]
    public void MergesTheMostFrequentPairFirst()
    {
        // Words: "low"×5, " lower"×2, " new"×6. Pairs: lo 7, ow 7, ne 6, ew 6, " n" 6, " l" 2, we 2, er 2.
        // lo = ow = 7: the smaller left id ('l' < 'o') wins → "lo"; then lo+w 7 → "low"; then 6s: ' ' < 'e' < 'n' → " n", then " n"+e and ew:
        // after " n", pairs (" n",e) 6 and (e,w) 6; 'e' is a byte and so the smaller left id → "ew"; then " n"+"ew" 6 → " new".
        Dictionary<string, long> words = new() { ["low"] = 5, [" lower"] = 2, [" new"] = 6 };
        BpeModel model = BpeTrainer.Train(words, new BpeTrainerOptions(259 + 5));
        Assert.That(Pieces(model), Is.EqualTo((string[])["lo", "low", " n", "ew", " new"]));
    }

    [Test]
    public void OverlappingPairsAreCountedAsTheyAreMerged()
    {
        // "aaaaa"×3: (a,a) 4 a word → "aa"; now aa aa a: (aa,aa) 3, (aa,a) 3; 'a' < "aa" as right id → "aaa"? left ids are equal, right id of 'a' is smaller.
        BpeModel model = BpeTrainer.Train(new Dictionary<string, long> { ["aaaaa"] = 3 }, new BpeTrainerOptions(259 + 3));
        Assert.That(Pieces(model), Is.EqualTo((string[])["aa", "aaa", "aaaaa"]));
    }

    [Test]
    public void AgreesWithRecountingEverythingAtEachStep()
    {
        string[] texts = [.. TestData.Awkward, .. TestData.Reviews(60)];
        WordCounter counter = new();
        foreach (string text in texts)
            counter.Add(text);
        const int Merges = 250;
        BpeModel model = BpeTrainer.Train(texts, new BpeTrainerOptions(259 + Merges));

        List<(int[] Pieces, long Count)> words =
            [.. counter.Counts.Select(word => (Encoding.UTF8.GetBytes(word.Key).Select(value => 3 + value).ToArray(), word.Value))];
        List<(int, int)> expected = [];
        for (int rank = 0; rank < Merges; rank++)
        {
            Dictionary<(int, int), long> pairs = [];
            foreach ((int[] pieces, long count) in words)
                for (int i = 0; i + 1 < pieces.Length; i++)
                    pairs[(pieces[i], pieces[i + 1])] = pairs.GetValueOrDefault((pieces[i], pieces[i + 1])) + count;
            (int Left, int Right) best = pairs.OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key).First().Key;
            expected.Add(best);
            words = [.. words.Select(word => (Join(word.Pieces, best, 259 + rank), word.Count))];
        }
        Assert.That(model.Merges, Is.EqualTo(expected));
    }

    [Test]
    public void TheOrderOfTheDocumentsDoesNotMatter()
    {
        List<string> reviews = TestData.Reviews(400);
        BpeModel forward = BpeTrainer.Train(reviews, new BpeTrainerOptions(1000));
        BpeModel backward = BpeTrainer.Train(Enumerable.Reverse(reviews), new BpeTrainerOptions(1000));
        Assert.That(backward.Merges, Is.EqualTo(forward.Merges));
    }

    [Test]
    public void StopsWhereNoPairIsFrequentEnough()
    {
        BpeModel model = BpeTrainer.Train(new Dictionary<string, long> { ["ab"] = 2, ["cd"] = 1 }, new BpeTrainerOptions(1000));
        Assert.That(model.VocabularySize, Is.EqualTo(260));
        Assert.That(Pieces(model), Is.EqualTo((string[])["ab"]));
    }

    [Test]
    public void AVocabularyThatCannotHoldTheBytesIsAConfigurationError() => Assert.That(
        () => BpeTrainer.Train(["x"], new BpeTrainerOptions(258)), Throws.InstanceOf<ConfigurationException>().With.Message.Contains("at least 259"));

    private static int[] Join(int[] pieces, (int Left, int Right) pair, int merged)
    {
        List<int> joined = [];
        for (int i = 0; i < pieces.Length; i++)
        {
            if (i + 1 < pieces.Length && (pieces[i], pieces[i + 1]) == pair)
            {
                joined.Add(merged);
                i++;
            }
            else
            {
                joined.Add(pieces[i]);
            }
        }
        return [.. joined];
    }
}
