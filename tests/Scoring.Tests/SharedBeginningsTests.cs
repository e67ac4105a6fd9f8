using NUnit.Framework;

namespace Rlhf.Scoring.Tests;

/// <summary>Which texts are computed together because they begin alike.</summary>
public sealed class SharedBeginningsTests
{
    private static int[] Run(int first, int count) => [.. Enumerable.Range(first, count)];

    private static (List<SharedBeginning> Groups, List<int> Alone) Find(params int[][] texts) => SharedBeginnings.Find(texts, [.. texts.Select(t => t.Length - 1)]);

    [Test]
    public void ResponsesToOnePromptShareItAndOthersStayAlone()
    {
        int[] prompt = Run(100, 40);
        (List<SharedBeginning> groups, List<int> alone) = Find([.. prompt, 1, 2], Run(500, 30), [.. prompt, 3], [.. prompt, 1, 4, 5], Run(900, 3));
        Assert.That(groups, Has.Count.EqualTo(1));
        Assert.That(groups[0].Shared, Is.EqualTo(40));
        Assert.That(groups[0].Rows, Is.EquivalentTo(new[] { 0, 2, 3 }));
        Assert.That(alone, Is.EqualTo(new[] { 1, 4 }));
    }

    [Test]
    public void AnInstructionBeforeAllPromptsDoesNotHideThePrompts()
    {
        // 20 common tokens in all six texts save 5 · 20; 60 in each three of them save 2 · 2 · 60.
        int[] instruction = Run(1, 20), a = [.. instruction, .. Run(100, 40)], b = [.. instruction, .. Run(200, 40)];
        (List<SharedBeginning> groups, List<int> alone) = Find([.. a, 7], [.. b, 7], [.. a, 8], [.. b, 8], [.. a, 9], [.. b, 9]);
        Assert.That(groups.Select(g => g.Shared), Is.EqualTo(new[] { 60, 60 }));
        Assert.That(groups.Select(g => string.Join(',', g.Rows.Order())).Order(), Is.EqualTo(new[] { "0,2,4", "1,3,5" }));
        Assert.That(alone, Is.Empty);
    }

    [Test]
    public void TwoPromptsThatDifferLateAreSharedWhereThatSavesMore()
    {
        // 50 tokens in two pairs save 2 · 50 less four calls; 48 in all four save 3 · 48 less four calls.
        int[] common = Run(1, 48);
        (List<SharedBeginning> groups, _) = Find([.. common, 70, 71, 1], [.. common, 80, 81, 1], [.. common, 70, 71, 2], [.. common, 80, 81, 2]);
        Assert.That(groups, Has.Count.EqualTo(1));
        Assert.That((groups[0].Shared, groups[0].Rows.Length), Is.EqualTo((48, 4)));
    }

    [Test]
    public void EveryTextKeepsAnEndOfItsOwnAndShortBeginningsAreNotWorthIt()
    {
        int[] text = Run(1, 50);
        (List<SharedBeginning> groups, _) = Find(text, text, [.. text, 3]);
        Assert.That((groups[0].Shared, groups[0].Rows.Length), Is.EqualTo((49, 3)));
        Assert.That(Find([.. Run(1, 15), 60], [.. Run(1, 15), 70]).Groups, Is.Empty);
        Assert.That(Find([5], [5]).Alone, Is.EqualTo(new[] { 0, 1 }));
        Assert.That(Find().Groups, Is.Empty);
    }

    [Test]
    public void ALongGroupIsCutForTheWorkersAndNoRowIsLost([Values(1, 2, 4)] int workers)
    {
        int[] prompt = Run(1, 100);
        int[][] tokens = [.. Enumerable.Range(0, 64).Select(i => (int[])[.. prompt, .. Run(300 + i, 1 + (i % 9))]), .. Enumerable.Range(0, 20).Select(i => Run(2000 + (300 * i), 1 + (i * 13)))];
        int[] lengths = [.. tokens.Select(t => t.Length)];
        List<WorkItem> items = WorkPlan.Make(tokens, lengths, [.. lengths.Select(l => l - 1)], 512, workers);
        Assert.That(items.SelectMany(i => i.Rows).Order(), Is.EqualTo(Enumerable.Range(0, tokens.Length)));
        // In order of work: nothing is left to one worker alone at the end.
        Assert.That(items.Select(i => i.Tokens), Is.Ordered.Descending);
        if (workers > 1) Assert.That(items[0].Tokens, Is.LessThanOrEqualTo(lengths.Sum() / workers));
    }
}
