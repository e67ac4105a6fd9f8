using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json;

namespace Rlhf.Pipeline.Tests;

/// <summary>A run's Parquet files in a reader that shares no code with the writer.</summary>
public sealed class IndependentReaderTests
{
    [TestCase("rollouts.parquet", "response_tokens")]
    [TestCase("scored.parquet", "reference_logprobs")]
    [TestCase("trajectories.parquet", "advantages")]
    public void ReadsEveryRow(string file, string column)
    {
        if (!Directory.Exists(Path.Combine(Checkout.Root, "node_modules", "hyparquet"))) Assert.Ignore("skipped: hyparquet is not installed (npm ci)");
        Process process;
        try
        {
            process = Programs.Start("node", Path.Combine(Checkout.Root, "tests", "independent", "read-parquet.mjs"), TinyRun.Iteration(2, file));
        }
        catch (Win32Exception)
        {
            Assert.Ignore("skipped: there is no node");
            return;
        }

        Ended ended = Programs.End(process);
        Assert.That(ended.Code, Is.Zero, ended.ToString());
        using JsonDocument table = JsonDocument.Parse(ended.Output);
        Assert.That(table.RootElement.GetProperty("rows").GetInt32(), Is.EqualTo(TinyRun.Responses));
        foreach (JsonElement row in table.RootElement.GetProperty("data").EnumerateArray())
        {
            Assert.That(row.GetProperty(column).GetArrayLength(), Is.EqualTo(row.GetProperty("response_tokens").GetArrayLength()), "one entry a response token");
        }
    }
}
