using Rlhf.Core;

namespace Rlhf.Trajectories;

/// <summary>
/// Prompts from Parquet, JSONL, JSON, CSV (column "prompt": a text, or a list of {role, content}, nested or as JSON text) or from .txt (one a line). An id comes from
/// "prompt_id" or "id", or else is the row's number from 0. "prompt_tokens" is taken where it is there. All other columns, verl's data_source,
/// ability, reward_model and extra_info among them, are carried in <see cref="Prompt.Metadata"/> as members of one JSON object.
/// </summary>
/// <remarks>
/// A conversation of one turn gives its content as the text. A longer one gives "role: content" lines as the text and the turns themselves as
/// "messages" in the metadata, for a chat template to be applied to.
/// </remarks>
public static class PromptFile
{
    /// <summary>The prompts in file order, streamed.</summary>
    /// <param name="path">A file, or a pattern for several.</param>
    /// <param name="promptColumn">The column that holds the prompt; default "prompt".</param>
    /// <exception cref="BadDataException">
    /// At once: missing or empty file, missing column. While enumerating: no rows, a row without prompt, an id that came before.
    /// </exception>
    public static IEnumerable<Prompt> Read(string path, string? promptColumn = null)
    {
        string name = FileFormats.IsGzip(path) ? path[..^3] : path;
        IEnumerable<Prompt> prompts = name.EndsWith(".txt", StringComparison.OrdinalIgnoreCase) ? Lines(path) : Table(path, promptColumn ?? "prompt");
        return Checked(path, prompts);
    }

    private static IEnumerable<Prompt> Checked(string path, IEnumerable<Prompt> prompts)
    {
        // The id addresses the random numbers of a row: two rows with one id would draw the same responses.
        var seen = new HashSet<ulong>();
        long row = 0;
        foreach (Prompt prompt in prompts)
        {
            row++;
            if (!seen.Add(AddressedRandom.Key(prompt.Id)))
                throw new BadDataException($"{path}, row {row}: prompt id '{prompt.Id}' came before; ids must differ. Leave the id column out to number the rows.");
            yield return prompt;
        }

        if (row == 0) throw new BadDataException($"{path} has no prompts; expected at least one row.");
    }

    private static IEnumerable<Prompt> Lines(string path)
    {
        if (!File.Exists(path)) throw new BadDataException($"{path} does not exist. Check the name.");
        return NumberedLines(path);
    }

    private static IEnumerable<Prompt> NumberedLines(string path)
    {
        long row = 0;
        foreach (string line in TextLines.Read(path))
        {
            if (line.Length > 0) yield return new Prompt { Id = row.ToString(), Text = line };
            row++;
        }
    }

    private static IEnumerable<Prompt> Table(string path, string promptColumn)
    {
        IReadOnlyList<DataColumn> fileColumns;
        bool asJsonText;
        using (DataReader probe = DataReader.Open(path, new ReadOptions { Columns = [] })) (fileColumns, asJsonText) = (probe.FileColumns, probe.HoldsConversations(promptColumn));

        DataColumn? prompt = fileColumns.FirstOrDefault(c => c.Name == promptColumn);
        bool isChat = asJsonText || (prompt is not null && (Sql.IsNested(prompt.SqlType) || prompt.SqlType == "JSON"));
        if (asJsonText) Log.Info($"{path}: the texts of column '{promptColumn}' are lists of messages; they are read as conversations");
        string? idColumn = new[] { "prompt_id", "id" }.FirstOrDefault(n => n != promptColumn && fileColumns.Any(c => c.Name == n));
        var columns = new List<DataColumn> { new(promptColumn, isChat ? ColumnType.Messages : ColumnType.Text) };
        if (idColumn is not null) columns.Add(new DataColumn(idColumn, ColumnType.Text));
        if (promptColumn != "prompt_tokens" && fileColumns.Any(c => c.Name == "prompt_tokens")) columns.Add(new DataColumn("prompt_tokens", ColumnType.Int32List));
        int carriedFrom = columns.Count;
        bool isCsv = FileFormats.Of(path) == FileFormat.Csv;
        DataColumn[] carried = [.. fileColumns.Where(f => columns.All(c => c.Name != f.Name))];
        columns.AddRange(carried.Select(c => new DataColumn(c.Name, ColumnType.Json)));
        DataReader reader = DataReader.Open(path, new ReadOptions { Columns = columns });
        // Types of a CSV file are guesses; what it guesses to be a number is written as one where JSON allows.
        bool[] isText = [.. carried.Select(c => c.SqlType == "VARCHAR" || (isCsv && c.SqlType is not ("BIGINT" or "DOUBLE" or "BOOLEAN")))];
        return Rows(reader, isChat, idColumn, carriedFrom, isText);
    }

    private static IEnumerable<Prompt> Rows(DataReader reader, bool isChat, string? idColumn, int carriedFrom, bool[] isText)
    {
        using (reader)
        {
            int id = idColumn is null ? -1 : reader.Find(idColumn), tokens = reader.Find("prompt_tokens"), metadata = reader.Find("metadata");
            if (tokens >= carriedFrom || reader.Columns[Math.Max(tokens, 0)].Type != ColumnType.Int32List) tokens = -1;
            if (metadata < carriedFrom) metadata = -1;
            var joined = new PromptMetadata();
            foreach (RowBatch batch in reader.Batches())
            {
                for (int row = 0; row < batch.Count; row++)
                {
                    IReadOnlyList<ChatMessage>? messages = isChat ? batch.GetMessages(0, row) : null;
                    if (batch.IsNull(0, row) || messages is { Count: 0 }) throw batch.Bad(0, row, "is empty (null); every row needs a prompt.");
                    if (id >= 0 && batch.IsNull(id, row)) throw batch.Bad(id, row, "is empty (null); every row needs an id, or none has one.");
                    int at = row;
                    var fields = Enumerable.Range(carriedFrom, isText.Length).Where(c => c != metadata)
                        .Select(c => (reader.Columns[c].Name, batch.GetString(c, at), isText[c - carriedFrom]));
                    yield return new Prompt
                    {
                        Id = id >= 0 ? batch.GetString(id, row)! : (batch.FirstRow + row).ToString(),
                        Text = messages is null ? batch.GetString(0, row)! : TextOf(messages),
                        Tokens = tokens < 0 ? null : batch.GetInt32List(tokens, row),
                        Metadata = joined.Join(metadata < 0 ? null : batch.GetString(metadata, row), fields, messages is { Count: > 1 } ? messages : null),
                    };
                }
            }
        }
    }

    private static string TextOf(IReadOnlyList<ChatMessage> messages) =>
        messages.Count == 1 ? messages[0].Content : string.Join("\n", messages.Select(m => $"{m.Role}: {m.Content}"));
}
