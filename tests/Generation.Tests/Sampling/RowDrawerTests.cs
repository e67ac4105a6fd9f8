using NUnit.Framework;
using Rlhf.Core;

namespace Rlhf.Generation.Tests.Sampling;

public sealed class RowDrawerTests
{
    /// <summary>The row that cannot be drawn is the one to look at: of many prompts and samples, in one of many iterations.</summary>
    [Test]
    public void LogitsThatAreNotFiniteNameTheRow()
    {
        PolicyFolder folder = TestPolicies.Random();
        SamplingOptions options = new() { MaxNewTokens = 4, Iteration = 7 };
        Row row = Row.Start(new PreparedPrompt(0, new Prompt { Id = "p31", Text = "" }, 1, [1, 2]), 3, options, folder, null);
        RowDrawer drawer = new(folder, options);
        float[] logits = new float[folder.VocabularySize];
        drawer.Draw(row, logits);
        logits[5] = float.NaN;
        Assert.That(() => drawer.Draw(row, logits), Throws.TypeOf<NumericalException>()
            .With.Message.StartsWith("Iteration 7, prompt 'p31', sample 3, token 2 of the response: The policy's logits are not finite: 1 NaN and 0 +Inf of 61."));
        Assert.That(() => drawer.Take(row, (0, float.NaN)), Throws.TypeOf<NumericalException>().With.Message.StartsWith("Iteration 7, prompt 'p31', sample 3, token 2 of the response: The policy's logits"));
    }

    /// <summary>Tokens are letters here. A stop string that ended before the fewest tokens is over; one that ends at them or later stops.</summary>
    [TestCase("xaxb", "a", 0, "xa")]
    [TestCase("xaxb", "a", 2, "xa")]
    [TestCase("xaxxb", "a", 3, "xaxxb")] // cut by no stop string: the room is used up
    [TestCase("xaxab", "a", 3, "xaxa")]
    [TestCase("aaab", "aa", 3, "aaa")] // the second "aa" shares a letter with the first
    [TestCase("xababx", "bab", 3, "xabab")]
    [TestCase("xaxxx", "a|xxxx", 3, "xaxxx")] // a long stop string beside: the short one lies in the text that is kept
    public void AStopStringThatEndedTooEarlyDoesNotStop(string drawn, string stops, int fewest, string expected)
    {
        PolicyFolder folder = TestPolicies.Random(vocabulary: 128);
        SamplingOptions options = new() { MaxNewTokens = drawn.Length, MinNewTokens = fewest, StopStrings = stops.Split('|') };
        Row row = Row.Start(new PreparedPrompt(0, new Prompt { Id = "p", Text = "" }, 1, [1]), 0, options, folder, new Letters());
        RowDrawer drawer = new(folder, options);
        for (int i = 0; row.Finished is null; i++) drawer.Take(row, (drawn[i], -1f));
        Assert.That(new string([.. row.Tokens[..row.Count].Select(t => (char)t)]), Is.EqualTo(expected));
        Assert.That(row.Finished, Is.EqualTo(expected.Length == drawn.Length ? FinishReason.Length : FinishReason.Stop));
    }

    /// <summary>Any cut of the text into pieces, any fewest tokens: against a search for what ends there.</summary>
    [Test]
    public void StopStringsEndWhereASearchFindsThem()
    {
        const string Text = "ab aab abc  abcabd xx abab abac";
        string[] stops = ["aab", "b", "abcabd", " a"];
        for (int size = 1; size <= 7; size++)
        {
            StopMatcher matcher = new(stops);
            for (int at = 0; at < Text.Length; at += size)
            {
                int end = Math.Min(at + size, Text.Length);
                bool expected = Enumerable.Range(at + 1, end - at).Any(e => stops.Any(s => Text[..e].EndsWith(s, StringComparison.Ordinal)));
                Assert.That(matcher.Append(Text[at..end]), Is.EqualTo(expected), $"pieces of {size}, at {at}");
            }
        }
    }

    [Test]
    public void MatchingAllocatesNothing()
    {
        StopMatcher matcher = new(["\n\nHuman:", "<end>"]);
        for (int i = 0; i < 500; i++) matcher.Append("piece");
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++) matcher.Append("piece");
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    /// <summary>A short answer that waits for its turn holds no room for a long one.</summary>
    [Test]
    public void AFinishedRowKeepsOnlyWhatWasDrawn()
    {
        PolicyFolder folder = TestPolicies.Random();
        SamplingOptions options = new() { MaxNewTokens = 80, StopStrings = [] };
        Row row = Row.Start(new PreparedPrompt(0, new Prompt { Id = "p", Text = "" }, 1, [1]), 0, options, folder, null);
        RowDrawer drawer = new(folder, options);
        foreach (int token in (int[])[5, 6, 2]) drawer.Take(row, (token, -token));
        Assert.That(row.Finished, Is.EqualTo(FinishReason.Eos));
        row.Trim();
        Rollout rollout = row.ToRollout(options, "ort", "", null);
        Assert.That(row.Tokens, Is.EqualTo([5, 6, 2]).And.SameAs(rollout.ResponseTokens), "not copied once more");
        Assert.That(rollout.RolloutLogprobs, Is.EqualTo([-5f, -6f, -2f]));
        Assert.That(rollout.PolicyLogprobs, Is.EqualTo([-5f, -6f, -2f]));
    }

    private sealed class Letters : ITextCodec, IIncrementalDecoder
    {
        public int[] Encode(string text) => [.. text.Select(c => (int)c)];

        public string Decode(ReadOnlySpan<int> tokens) => new([.. tokens.ToArray().Select(t => (char)t)]);

        public IIncrementalDecoder CreateDecoder() => this;

        public string Append(int token) => ((char)token).ToString();

        public void Dispose()
        {
            // Nothing is held.
        }
    }
}
