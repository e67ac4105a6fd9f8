using System.Text.Json;
using NUnit.Framework;
using Rlhf.Core;
using Rlhf.Trajectories;

namespace Rlhf.Scoring.Tests;

/// <summary>Conversations in each kind of file are scored as their contents.</summary>
public sealed class FormatTests : Fixture
{
    [Test]
    public void ConversationsAsTextAreTheirContents([Values("m.parquet", "m.jsonl", "m.csv")] string name)
    {
        using (DataWriter writer = DataWriter.Create(At(name), [new("prompt", ColumnType.Text), new("response", ColumnType.Text)]))
        {
            foreach (string response in (string[])["one two three", "four, \"five\"\nsix seven"])
            {
                writer.Set(0, JsonSerializer.Serialize(new[] { new { role = "user", content = "question " } }));
                writer.Set(1, JsonSerializer.Serialize(new[] { new { role = "assistant", content = response } }));
                writer.EndRow();
            }

            writer.Complete();
        }

        using Seen seen = new();
        using ScoringStage stage = new([], "", 1, [new OutsideReward("seen", 1, "function", () => seen)]);
        stage.Run(new ScoringJob { Input = At(name), Output = At("out.parquet") });
        Assert.That(seen.Rows, Is.EqualTo(new[] { "question one two three", "question four, \"five\"\nsix seven" }));
        using DataReader reader = DataReader.Open(At("out.parquet"));
        foreach (RowBatch batch in reader.Batches()) Assert.That(batch.GetString(reader.Require("response"), 0), Does.StartWith("[{"), "the column itself stays as it is");
    }

    private sealed class Seen : IRewardFunction
    {
        public List<string> Rows { get; } = [];

        public IReadOnlyList<RewardValue> Score(IReadOnlyList<RuleInput> rows, CancellationToken cancellation)
        {
            Rows.AddRange(rows.Select(r => r.Prompt + r.Response));
            return [.. rows.Select(_ => new RewardValue(0))];
        }

        public void Dispose()
        {
        }
    }
}
