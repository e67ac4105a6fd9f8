using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Export;

namespace Rlhf.Scoring.Tests;

/// <summary>Scores with shared beginnings and in parts are those of each text alone by the plain graph.</summary>
public sealed class CachedScoringTests : Fixture
{
    // What the issue asks of batched against alone; float32 over two layers differs by less than a tenth of it.
    private const double Tolerance = 1e-4;

    // Three prompts: ragged responses down to one token, one text that is another's beginning, equal texts, ends of a prompt that merged with the
    // response (another last token), and texts without company.
    private static int[][] Texts()
    {
        int[] a = [0, .. Enumerable.Range(10, 40)], b = [0, .. Enumerable.Range(100, 25)], c = [0, .. Enumerable.Range(10, 20), .. Enumerable.Range(60, 20)];
        return
        [
            [.. a, 7], [.. b, 9, 9, 9], [.. a, 8, 5, 6, 7, 8, 9], [.. a[..^1], 200, 7], [0, 77, 78], [.. c, 5], [.. a, 7], [.. b, 4], [.. a, 8, 5], [.. a, .. Enumerable.Range(50, 45)],
            [.. b, 9, 9], [.. c, 6, 200, 201], a, [5], [.. b[..^1], 250],
        ];
    }

    private static double[] Alone(string folder, int[][] texts)
    {
        using RewardModel plain = new(folder, 1, use: RewardModelUse.PlainGraph);
        double[] scores = new double[texts.Length];
        for (int i = 0; i < texts.Length; i++) plain.Score(texts, [i], scores);
        return scores;
    }

    [Test]
    public void SharedScoresAreThoseOfEachTextAlone([Values] ScorePooling pooling, [Values(1, 3)] int workers, [Values(16, 512)] int batchTokens)
    {
        string folder = Reward("reward", pooling: pooling).Folder;
        int[][] texts = Texts();
        double[] expected = Alone(folder, texts);
        using RewardModel model = new(folder, 1);
        double[] found = model.ScoreAll(texts, workers, batchTokens, CancellationToken.None);
        long shared = model.TokensComputed;
        for (int i = 0; i < texts.Length; i++) Assert.That(found[i], Is.EqualTo(expected[i]).Within(Tolerance), $"text {i}");
        double[] apart = model.ScoreAll(texts, workers, batchTokens, CancellationToken.None, share: false);
        for (int i = 0; i < texts.Length; i++) Assert.That(apart[i], Is.EqualTo(expected[i]).Within(Tolerance), $"text {i} unshared");
        Assert.That(shared, Is.LessThan(0.75 * (model.TokensComputed - shared)), "beginnings were computed once");
        Assert.That(found[0], Is.EqualTo(found[6]), "equal texts, equal scores");
    }

    [Test]
    public void TokenScoresEndInTheScore([Values] ScorePooling pooling)
    {
        string folder = Reward("reward", pooling: pooling).Folder;
        int[][] texts = Texts();
        double[] expected = Alone(folder, texts);
        using RewardModel model = new(folder, 1, use: RewardModelUse.TokenScores);
        (double[] scores, float[][] tokens) = model.TokenScoresAll(texts, 2, 512, CancellationToken.None);
        for (int i = 0; i < texts.Length; i++)
        {
            Assert.That(scores[i], Is.EqualTo(expected[i]).Within(Tolerance));
            Assert.That(tokens[i], Has.Length.EqualTo(texts[i].Length));
            Assert.That(pooling == ScorePooling.Last ? tokens[i][^1] : tokens[i].Average(), Is.EqualTo(expected[i]).Within(Tolerance));
            // Each token's score is that of the text that ends with it.
            int cut = 1 + (texts[i].Length / 2);
            if (pooling == ScorePooling.Last) Assert.That(tokens[i][cut - 1], Is.EqualTo(Alone(folder, [texts[i][..cut]])[0]).Within(Tolerance));
        }
    }

    [Test]
    public void LongTextsReadInPartsAreThoseReadAtOnce([Values] ScorePooling pooling)
    {
        string folder = Reward("reward", positions: 700, pooling: pooling).Folder;
        int[] prompt = [.. Enumerable.Range(0, 300).Select(i => (i * 37) % 250)];
        int[][] texts = [.. new[] { 1, 255, 256, 257, 513, 700 }.Select(n => Enumerable.Range(0, n).Select(i => ((i * 31) + n) % 255).ToArray()), [.. prompt, 5], [.. prompt, .. Enumerable.Range(0, 290)]];
        foreach (int[] text in texts) for (int i = 0; i < text.Length; i++) text[i] %= 259;
        double[] expected = Alone(folder, texts);
        using RewardModel model = new(folder, 1);
        double[] found = model.ScoreAll(texts, 2, 1024, CancellationToken.None);
        for (int i = 0; i < texts.Length; i++) Assert.That(found[i], Is.EqualTo(expected[i]).Within(Tolerance), $"{texts[i].Length} tokens");
    }

    [Test]
    public void TextsThatAreCutShareOnlyWhatIsLeft()
    {
        string folder = Reward("reward").Folder;
        using RewardModel model = new(folder, 1, maxLength: 40);
        string prompt = "the same question for all: ";
        string[] answers = ["yes", "no", "a much longer answer than the model has positions for", "n", "no!"];
        int[][] tokens = [.. answers.Select(a => model.Encode(prompt + a))];
        Assert.That(tokens[2], Has.Length.EqualTo(40));
        double[] expected = Alone(folder, tokens), found = model.ScoreAll(tokens, 1, 512, CancellationToken.None);
        for (int i = 0; i < tokens.Length; i++) Assert.That(found[i], Is.EqualTo(expected[i]).Within(Tolerance));
        Assert.That(model.TokensComputed, Is.LessThan(tokens.Sum(t => t.Length)));
    }

    [Test]
    public void SharedLogProbsAreThoseOfEachRowAlone([Values(1, 3)] int workers, [Values(0.7, 1.0)] double temperature)
    {
        string folder = Policy("policy").Folder;
        int[] a = [0, .. Enumerable.Range(10, 30)], b = [0, .. Enumerable.Range(10, 20), 99, 98];
        (int[], int[])[] rows = [(a, [5]), (b, [6, 7]), (a, [5, 8, 9, 10]), ([0], [3, 4]), (a, [.. Enumerable.Range(60, 30)]), (b, [6, 7]), (a[..10], [.. a[10..], 5]), (b, [1])];
        float[][] expected = new float[rows.Length][], found = new float[rows.Length][];
        using LogProbScorer scorer = new(folder, 1);
        File.Delete(Path.Combine(folder, "scorer_cached.onnx"));
        using LogProbScorer plain = new(folder, 1);
        for (int i = 0; i < rows.Length; i++) plain.Score(rows, [i], temperature, expected);
        scorer.ScoreAll(rows, [.. Enumerable.Range(0, rows.Length)], temperature, found, workers, 256, CancellationToken.None);
        for (int i = 0; i < rows.Length; i++) Assert.That(found[i], Is.EqualTo(expected[i]).Within(Tolerance), $"row {i}");
        Assert.That(scorer.TokensComputed, Is.LessThan(0.75 * scorer.TokensScored), "prompts were computed once");
        Assert.That(plain.TokensComputed, Is.EqualTo(scorer.TokensScored));
    }

    [Test]
    public void AFolderOfAnOlderExportGivesTheSameScores()
    {
        string folder = Reward("reward").Folder;
        int[][] texts = Texts();
        double[] expected = Alone(folder, texts);
        File.Delete(Path.Combine(folder, "reward_cached.onnx"));
        File.Delete(Path.Combine(folder, "token_rewards.onnx"));
        using RewardModel old = new(folder, 1);
        double[] found = old.ScoreAll(texts, 2, 256, CancellationToken.None);
        for (int i = 0; i < texts.Length; i++) Assert.That(found[i], Is.EqualTo(expected[i]).Within(Tolerance));
        Assert.That(
            Assert.Throws<BadModelException>(() => _ = new RewardModel(folder, 1, use: RewardModelUse.TokenScores))!.Message,
            Does.Contain("token_rewards.onnx: file not found").And.Contain("Export the model again"));
    }
}
