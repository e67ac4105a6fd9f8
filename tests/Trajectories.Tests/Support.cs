using NUnit.Framework;
using Rlhf.Core;

namespace Rlhf.Trajectories.Tests;

/// <summary>What tests of files share.</summary>
public abstract class FileTest : FolderTest
{
    /// <summary>What is left in the folder, sorted.</summary>
    protected string[] Left() => [.. Directory.EnumerateFileSystemEntries(Folder).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];

    protected static string Message(Action code) => Assert.Throws<BadDataException>(code)!.Message;
}

public static class Samples
{
    public static Rollout Rollout(int i) => new()
    {
        Iteration = 7,
        PromptId = "p" + (i / 2),
        SampleId = i % 2,
        Prompt = "The film \u0085 was\u2028 \"so\" 'good', it\ngave me 🎬 " + i,
        Response = i == 0 ? "" : "naïve — 東京 " + i,
        PromptTokens = [1, 2, i],
        ResponseTokens = [.. Enumerable.Range(0, i % 5)],
        FinishReason = (FinishReason)(i % 3),
        RolloutLogprobs = [.. Enumerable.Range(0, i % 5).Select(k => -0.5f - (k / 7f))],
        PolicyLogprobs = [.. Enumerable.Range(0, i % 5).Select(k => -0.25f - (k / 3f))],
        PolicyHash = new string('a', 64),
        Engine = "ort",
        Seed = long.MaxValue - i,
        Temperature = 0.7,
        TopK = 5,
        TopP = 0.9,
        Metadata = i % 2 == 0 ? null : "{\"label\": 1, \"text\": \"it's\"}",
    };

    public static RowScores Scores(int i) => new()
    {
        Rewards = new Dictionary<string, double> { ["sentiment"] = i / 8.0, ["it's \"length\""] = -1.5 },
        TokenRewards = i % 2 == 0 ? null : [.. Enumerable.Range(0, i % 5).Select(k => k * 0.5f)],
        Score = i % 3 == 0 ? null : i / 16.0,
        ReferenceLogprobs = [.. Enumerable.Range(0, i % 5).Select(k => -1f - k)],
    };

    public static TokenTargets Targets(int i) => new()
    {
        OldLogprobs = [.. Enumerable.Range(0, i % 5).Select(k => -0.75f - k)],
        Values = i % 4 == 0 ? null : [.. Enumerable.Range(0, i % 5).Select(k => k / 4f)],
        Advantages = [.. Enumerable.Range(0, i % 5).Select(k => 1f - k)],
        Returns = i % 4 == 0 ? null : [.. Enumerable.Range(0, i % 5).Select(k => k / 2f)],
    };

    /// <summary>Equal in every field, lists by value.</summary>
    public static void AssertEqual(object? actual, object? expected) =>
        Assert.That(System.Text.Json.JsonSerializer.Serialize(actual), Is.EqualTo(System.Text.Json.JsonSerializer.Serialize(expected)));
}
