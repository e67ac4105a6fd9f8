using System.Globalization;
using Rlhf.Core;

namespace Rlhf.Trajectories;

/// <summary>
/// A column that is read as text: texts and numbers as they are, conversations (lists of {role, content}, nested or as JSON text) as their contents,
/// one after the other.
/// </summary>
public sealed class TextColumn
{
    private readonly int _column;
    private readonly ColumnType _type;

    private TextColumn(int column, ColumnType type, bool isConversation) => (_column, _type, IsConversation) = (column, type, isConversation);

    /// <summary>True where each row is a conversation.</summary>
    public bool IsConversation { get; }

    /// <summary>Finds out what the column holds; before any row is read.</summary>
    /// <param name="reader">The opened table.</param>
    /// <param name="name">The column.</param>
    /// <param name="tell">Called where texts turn out to be conversations; null: it is logged.</param>
    /// <exception cref="BadDataException">There is no such column, or it holds another kind of list.</exception>
    public static TextColumn Of(DataReader reader, string name, Action<string>? tell = null)
    {
        int at = reader.Require(name);
        DataColumn column = reader.Columns[at];
        bool isList = column.SqlType.EndsWith(']');
        if (isList && column.Type is not (ColumnType.Json or ColumnType.Messages))
            throw new BadDataException($"{reader.Name}: column '{name}' is {column.SqlType}; expected text, numbers or lists of {{role, content}}. Name another column or convert it.");
        bool isConversation = isList || reader.HoldsConversations(name);
        if (isConversation && !isList) (tell ?? Log.Info)($"{reader.Name}: the texts of column '{name}' are lists of messages; they are read as their contents, one after the other");
        return new TextColumn(at, column.Type, isConversation);
    }

    /// <summary>The row's text, or null.</summary>
    /// <exception cref="BadDataException">The row holds no conversation where the others do.</exception>
    public string? Get(RowBatch batch, int row)
    {
        if (batch.IsNull(_column, row)) return null;
        if (IsConversation) return string.Concat(batch.GetMessages(_column, row)!.Select(m => m.Content));
        return _type switch
        {
            ColumnType.Int32 => Invariant(batch.GetInt32(_column, row)),
            ColumnType.Int64 => Invariant(batch.GetInt64(_column, row)),
            ColumnType.Double => Invariant(batch.GetDouble(_column, row)),
            ColumnType.Float => Invariant(batch.GetFloat(_column, row)),
            ColumnType.Bool => batch.GetBool(_column, row) ? "1" : "0",
            _ => batch.GetString(_column, row) ?? "",
        };
    }

    private static string Invariant(IFormattable value) => value.ToString(null, CultureInfo.InvariantCulture);
}
