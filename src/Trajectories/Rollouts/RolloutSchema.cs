using Rlhf.Core;

namespace Rlhf.Trajectories;

/// <summary>The columns of a rollout file and how a <see cref="Rollout"/> goes into them and comes out.</summary>
internal static class RolloutSchema
{
    public static readonly IReadOnlyList<DataColumn> Columns =
    [
        new("iteration", ColumnType.Int32),
        new("prompt_id", ColumnType.Text),
        new("sample_id", ColumnType.Int32),
        new("prompt", ColumnType.Text),
        new("response", ColumnType.Text),
        new("prompt_tokens", ColumnType.Int32List),
        new("response_tokens", ColumnType.Int32List),
        new("finish_reason", ColumnType.Text),
        new("rollout_logprobs", ColumnType.FloatList),
        new("policy_logprobs", ColumnType.FloatList),
        new("policy_hash", ColumnType.Text),
        new("engine", ColumnType.Text),
        new("seed", ColumnType.Int64),
        new("temperature", ColumnType.Double),
        new("top_k", ColumnType.Int32),
        new("top_p", ColumnType.Double),
        new("metadata", ColumnType.Json) { Optional = true },
    ];

    /// <summary>Sets the first columns of the writer's row.</summary>
    public static void Write(DataWriter writer, Rollout rollout)
    {
        int c = 0;
        writer.Set(c++, rollout.Iteration);
        writer.Set(c++, rollout.PromptId);
        writer.Set(c++, rollout.SampleId);
        writer.Set(c++, rollout.Prompt);
        writer.Set(c++, rollout.Response);
        writer.Set(c++, rollout.PromptTokens.AsSpan());
        writer.Set(c++, rollout.ResponseTokens.AsSpan());
        writer.Set(c++, NameOf(rollout.FinishReason));
        writer.Set(c++, rollout.RolloutLogprobs.AsSpan());
        writer.Set(c++, rollout.PolicyLogprobs.AsSpan());
        writer.Set(c++, rollout.PolicyHash);
        writer.Set(c++, rollout.Engine);
        writer.Set(c++, rollout.Seed);
        writer.Set(c++, rollout.Temperature);
        writer.Set(c++, rollout.TopK);
        writer.Set(c++, rollout.TopP);
        writer.Set(c, rollout.Metadata);
    }

    /// <summary>The row of a reader that was opened with <see cref="Columns"/> first.</summary>
    public static Rollout Read(RowBatch batch, int row, bool hasMetadata)
    {
        int c = 0;
        var rollout = new Rollout
        {
            Iteration = batch.GetInt32(c++, row),
            PromptId = Text(batch, c++, row),
            SampleId = batch.GetInt32(c++, row),
            Prompt = Text(batch, c++, row),
            Response = Text(batch, c++, row),
            PromptTokens = batch.GetInt32List(c++, row) ?? throw Missing(batch, c - 1, row),
            ResponseTokens = batch.GetInt32List(c++, row) ?? throw Missing(batch, c - 1, row),
            FinishReason = ReasonOf(batch, c++, row),
            RolloutLogprobs = batch.GetFloatList(c++, row) ?? throw Missing(batch, c - 1, row),
            PolicyLogprobs = batch.GetFloatList(c++, row) ?? throw Missing(batch, c - 1, row),
            PolicyHash = Text(batch, c++, row),
            Engine = Text(batch, c++, row),
            Seed = batch.GetInt64(c++, row),
            Temperature = batch.GetDouble(c++, row),
            TopK = batch.GetInt32(c++, row),
            TopP = batch.GetDouble(c++, row),
            Metadata = hasMetadata ? batch.GetString(c, row) : null,
        };
        Check(rollout, batch.Where(row));
        return rollout;
    }

    /// <summary>Lengths agree and log-probs are numbers; said with the place, in words that the user of the file understands.</summary>
    public static void Check(Rollout rollout, string where)
    {
        RowCheck.PerToken(where, "rollout_logprobs", rollout.RolloutLogprobs, rollout.ResponseTokens.Length);
        RowCheck.PerToken(where, "policy_logprobs", rollout.PolicyLogprobs, rollout.ResponseTokens.Length);
        RowCheck.Tokens(where, "prompt_tokens", rollout.PromptTokens);
        RowCheck.Tokens(where, "response_tokens", rollout.ResponseTokens);
    }

    private static string NameOf(FinishReason reason) => reason switch
    {
        FinishReason.Eos => "eos",
        FinishReason.Stop => "stop",
        _ => "length",
    };

    private static FinishReason ReasonOf(RowBatch batch, int column, int row) => Text(batch, column, row) switch
    {
        "eos" => FinishReason.Eos,
        "stop" => FinishReason.Stop,
        "length" => FinishReason.Length,
        string other => throw batch.Bad(column, row, $"is '{other}'; expected eos, stop or length."),
    };

    private static string Text(RowBatch batch, int column, int row) => batch.GetString(column, row) ?? throw Missing(batch, column, row);

    private static BadDataException Missing(RowBatch batch, int column, int row) => batch.Bad(column, row, "has no value (null); every rollout needs one.");
}
