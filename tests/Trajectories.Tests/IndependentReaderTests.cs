using System.Diagnostics;
using System.Text.Json;
using NUnit.Framework;
using Rlhf.Core;

namespace Rlhf.Trajectories.Tests;

/// <summary>Our Parquet files in a reader that shares no code with DuckDB.</summary>
public sealed class IndependentReaderTests : FileTest
{
    private const string RolloutColumns =
        "iteration INT32, prompt_id VARCHAR, sample_id INT32, prompt VARCHAR, response VARCHAR, prompt_tokens INT32[], response_tokens INT32[], finish_reason VARCHAR, "
        + "rollout_logprobs FLOAT[], policy_logprobs FLOAT[], policy_hash VARCHAR, engine VARCHAR, seed INT64, temperature DOUBLE, top_k INT32, top_p DOUBLE, metadata VARCHAR";

    private const string ScoreColumns = ", rewards MAP(VARCHAR, DOUBLE), token_rewards FLOAT[], score DOUBLE, reference_logprobs FLOAT[]";
    private const string TargetColumns = ", old_logprobs FLOAT[], values FLOAT[], advantages FLOAT[], returns FLOAT[]";

    [Test]
    public void Rollouts()
    {
        RolloutFile.Write(At("rollouts.parquet"), Enumerable.Range(0, 300).Select(Samples.Rollout));
        using JsonDocument read = Read(At("rollouts.parquet"), RolloutColumns, 300);
        for (int i = 0; i < 300; i++) Check(read.RootElement.GetProperty("data")[i], Samples.Rollout(i));
    }

    [Test]
    public void Scored_rollouts()
    {
        RolloutFile.Write(At("rollouts.parquet"), Enumerable.Range(0, 300).Select(Samples.Rollout));
        ScoredFile.Augment(At("rollouts.parquet"), At("scored.parquet"), Enumerable.Range(0, 300).Select(Samples.Scores));
        using JsonDocument read = Read(At("scored.parquet"), RolloutColumns + ScoreColumns, 300);
        for (int i = 0; i < 300; i++)
        {
            JsonElement row = read.RootElement.GetProperty("data")[i];
            Check(row, Samples.Rollout(i));
            Check(row, Samples.Scores(i));
        }
    }

    [Test]
    public void Trajectories()
    {
        TrajectoryFile.Write(At("t.parquet"), Enumerable.Range(0, 300).Select(i => new Trajectory(Samples.Rollout(i), Samples.Scores(i), Samples.Targets(i))));
        using JsonDocument read = Read(At("t.parquet"), RolloutColumns + ScoreColumns + TargetColumns, 300);
        for (int i = 0; i < 300; i++)
        {
            JsonElement row = read.RootElement.GetProperty("data")[i];
            Check(row, Samples.Rollout(i));
            Check(row, Samples.Scores(i));
            TokenTargets expected = Samples.Targets(i);
            Assert.That(Floats(row, "old_logprobs"), Is.EqualTo(expected.OldLogprobs));
            Assert.That(Floats(row, "values"), Is.EqualTo(expected.Values));
            Assert.That(Floats(row, "advantages"), Is.EqualTo(expected.Advantages));
            Assert.That(Floats(row, "returns"), Is.EqualTo(expected.Returns));
        }
    }

    private static void Check(JsonElement row, Rollout expected)
    {
        Assert.That(row.GetProperty("iteration").GetInt32(), Is.EqualTo(expected.Iteration));
        Assert.That(row.GetProperty("prompt_id").GetString(), Is.EqualTo(expected.PromptId));
        Assert.That(row.GetProperty("sample_id").GetInt32(), Is.EqualTo(expected.SampleId));
        Assert.That(row.GetProperty("prompt").GetString(), Is.EqualTo(expected.Prompt));
        Assert.That(row.GetProperty("response").GetString(), Is.EqualTo(expected.Response));
        Assert.That(Ints(row, "prompt_tokens"), Is.EqualTo(expected.PromptTokens));
        Assert.That(Ints(row, "response_tokens"), Is.EqualTo(expected.ResponseTokens));
        Assert.That(row.GetProperty("finish_reason").GetString(), Is.EqualTo(new[] { "eos", "stop", "length" }[(int)expected.FinishReason]));
        Assert.That(Floats(row, "rollout_logprobs"), Is.EqualTo(expected.RolloutLogprobs));
        Assert.That(Floats(row, "policy_logprobs"), Is.EqualTo(expected.PolicyLogprobs));
        Assert.That(row.GetProperty("policy_hash").GetString(), Is.EqualTo(expected.PolicyHash));
        Assert.That(row.GetProperty("seed").GetString(), Is.EqualTo(expected.Seed.ToString()));
        Assert.That(row.GetProperty("temperature").GetDouble(), Is.EqualTo(expected.Temperature));
        Assert.That(row.GetProperty("top_k").GetInt32(), Is.EqualTo(expected.TopK));
        Assert.That(row.GetProperty("top_p").GetDouble(), Is.EqualTo(expected.TopP));
        Assert.That(Missing(row, "metadata") ? null : row.GetProperty("metadata").GetString(), Is.EqualTo(expected.Metadata));
    }

    private static void Check(JsonElement row, RowScores expected)
    {
        Assert.That(row.GetProperty("rewards").EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetDouble()), Is.EqualTo(expected.Rewards));
        Assert.That(Floats(row, "token_rewards"), Is.EqualTo(expected.TokenRewards));
        Assert.That(Missing(row, "score") ? (double?)null : row.GetProperty("score").GetDouble(), Is.EqualTo(expected.Score));
        Assert.That(Floats(row, "reference_logprobs"), Is.EqualTo(expected.ReferenceLogprobs));
    }

    // JavaScript leaves members out whose value is undefined.
    private static bool Missing(JsonElement row, string name) => !row.TryGetProperty(name, out JsonElement value) || value.ValueKind == JsonValueKind.Null;

    private static float[]? Floats(JsonElement row, string name) => Missing(row, name) ? null : [.. row.GetProperty(name).EnumerateArray().Select(e => (float)e.GetDouble())];

    private static int[] Ints(JsonElement row, string name) => [.. row.GetProperty(name).EnumerateArray().Select(e => e.GetInt32())];

    private static JsonDocument Read(string path, string columns, int rows)
    {
        var start = new ProcessStartInfo("node") { RedirectStandardOutput = true, RedirectStandardError = true, StandardOutputEncoding = System.Text.Encoding.UTF8 };
        start.ArgumentList.Add(Path.Combine(Checkout.Root, "tests", "independent", "read-parquet.mjs"));
        start.ArgumentList.Add(path);
        using Process node = Process.Start(start)!;
        Task<string> errors = node.StandardError.ReadToEndAsync();
        string output = node.StandardOutput.ReadToEnd();
        node.WaitForExit();
        Assert.That(node.ExitCode, Is.Zero, errors.Result);
        JsonDocument document = JsonDocument.Parse(output);
        Assert.That(document.RootElement.GetProperty("rows").GetInt32(), Is.EqualTo(rows));
        Assert.That(string.Join(", ", document.RootElement.GetProperty("columns").EnumerateArray().Select(c => c.GetProperty("name") + " " + c.GetProperty("type"))), Is.EqualTo(columns));
        return document;
    }
}
