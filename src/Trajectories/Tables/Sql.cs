using System.Text;
using System.Text.RegularExpressions;

namespace Rlhf.Trajectories;

/// <summary>Everything that is put into SQL goes through here: quoting of names, texts and paths, and the types.</summary>
internal static partial class Sql
{
    public static string Text(string text) => "'" + text.Replace("'", "''") + "'";

    public static string Name(string name) => "\"" + name.Replace("\"", "\"\"") + "\"";

    /// <summary>A path that is to be read: DuckDB would take * ? [ in it as a pattern.</summary>
    public static string Path(string path)
    {
        var escaped = new StringBuilder(path.Length);
        foreach (char c in path)
        {
            if (c is '*' or '?' or '[') escaped.Append('[').Append(c).Append(']');
            else escaped.Append(c);
        }

        return Text(escaped.ToString());
    }

    public static string Type(ColumnType type) => type switch
    {
        ColumnType.Bool => "BOOLEAN",
        ColumnType.Int32 => "INTEGER",
        ColumnType.Int64 => "BIGINT",
        ColumnType.Float => "FLOAT",
        ColumnType.Double => "DOUBLE",
        ColumnType.Int32List => "INTEGER[]",
        ColumnType.Int64List => "BIGINT[]",
        ColumnType.FloatList => "FLOAT[]",
        ColumnType.DoubleList => "DOUBLE[]",
        ColumnType.TextList => "VARCHAR[]",
        ColumnType.DoubleMap => "MAP(VARCHAR, DOUBLE)",
        _ => "VARCHAR",
    };

    /// <summary>What a column of this SQL type is read as when nobody asked for a type.</summary>
    public static ColumnType BestFor(string sqlType) => sqlType switch
    {
        "BOOLEAN" => ColumnType.Bool,
        "TINYINT" or "SMALLINT" or "INTEGER" or "UTINYINT" or "USMALLINT" => ColumnType.Int32,
        "BIGINT" or "UINTEGER" => ColumnType.Int64,
        "FLOAT" => ColumnType.Float,
        "DOUBLE" or "HUGEINT" or "UBIGINT" or "UHUGEINT" => ColumnType.Double,
        "TINYINT[]" or "SMALLINT[]" or "INTEGER[]" or "UTINYINT[]" or "USMALLINT[]" => ColumnType.Int32List,
        "BIGINT[]" or "UINTEGER[]" => ColumnType.Int64List,
        "FLOAT[]" => ColumnType.FloatList,
        "DOUBLE[]" => ColumnType.DoubleList,
        "VARCHAR[]" => ColumnType.TextList,
        "JSON" => ColumnType.Json,
        _ when sqlType.StartsWith("DECIMAL", StringComparison.Ordinal) && !sqlType.EndsWith(']') => ColumnType.Double,
        _ when sqlType.StartsWith("MAP(VARCHAR, ", StringComparison.Ordinal) && IsNumber(sqlType[13..^1]) => ColumnType.DoubleMap,
        _ when IsNested(sqlType) => ColumnType.Json,
        _ => ColumnType.Text,
    };

    /// <summary>True when values of the file's type can be meant by someone who asks for <paramref name="wanted"/>.</summary>
    public static bool CanRead(string sqlType, ColumnType wanted, FileFormat format)
    {
        // CSV has only text, and an untyped JSON column holds nulls or a mixture: the cast decides, value by value.
        bool untyped = sqlType is "JSON" or "JSON[]" or "NULL" || (sqlType == "VARCHAR" && format == FileFormat.Csv);
        return wanted switch
        {
            ColumnType.Text => !IsNested(sqlType),
            ColumnType.Json => true,
            ColumnType.Bool => untyped || sqlType == "BOOLEAN",
            ColumnType.Int32 or ColumnType.Int64 => untyped || IsInteger(sqlType),
            ColumnType.Float or ColumnType.Double => untyped || IsNumber(sqlType),
            ColumnType.Int32List or ColumnType.Int64List => untyped || (Element(sqlType) is { } e && (IsInteger(e) || e == "NULL")),
            ColumnType.FloatList or ColumnType.DoubleList => untyped || (Element(sqlType) is { } e && (IsNumber(e) || e == "NULL")),
            ColumnType.TextList => untyped || (Element(sqlType) is { } e && !IsNested(e)),
            ColumnType.DoubleMap => untyped || sqlType.StartsWith("MAP(", StringComparison.Ordinal) || (sqlType.StartsWith("STRUCT(", StringComparison.Ordinal) && !sqlType.EndsWith(']')),
            _ => untyped || sqlType == "VARCHAR" || (Element(sqlType) is { } e && e.StartsWith("STRUCT(", StringComparison.Ordinal)),
        };
    }

    /// <summary>The expression that gives the column as the wanted type.</summary>
    public static string Read(string name, string sqlType, ColumnType wanted)
    {
        string column = Name(name), type = Type(wanted);
        if (sqlType == type) return column;
        return wanted switch
        {
            ColumnType.Json or ColumnType.Messages when sqlType is not ("VARCHAR" or "JSON") => $"CAST(to_json({column}) AS VARCHAR)",
            // DuckDB would round a fraction without a word.
            _ when IsInteger(wanted) && sqlType == "VARCHAR" => $"CAST(CASE WHEN regexp_matches({column}, '\\.0*[1-9]|[eE]-') THEN 'no whole number: ' || {column} ELSE {column} END AS {type})",
            ColumnType.DoubleMap when sqlType is "VARCHAR" or "JSON" => $"CAST(CAST({column} AS JSON) AS {type})",
            ColumnType.DoubleMap when sqlType.StartsWith("STRUCT(", StringComparison.Ordinal) => $"CAST(to_json({column}) AS {type})",
            _ => $"CAST({column} AS {type})",
        };
    }

    /// <summary>
    /// A JSON string that looks like a date or a UUID is a string: guessed types of that kind go back to VARCHAR, nested ones too, so
    /// that texts keep every character.
    /// </summary>
    public static string WithoutGuessedTypes(string sqlType) => GuessedType().Replace(sqlType, m => m.Groups[1].Success ? m.Value : "VARCHAR");

    public static bool IsNested(string sqlType) =>
        sqlType.EndsWith(']') || sqlType.StartsWith("STRUCT(", StringComparison.Ordinal) || sqlType.StartsWith("MAP(", StringComparison.Ordinal)
        || sqlType.StartsWith("UNION(", StringComparison.Ordinal);

    /// <summary>Whole numbers, or lists of them.</summary>
    public static bool IsInteger(ColumnType type) => type is ColumnType.Int32 or ColumnType.Int64 or ColumnType.Int32List or ColumnType.Int64List;

    private static bool IsInteger(string sqlType) =>
        sqlType is "TINYINT" or "SMALLINT" or "INTEGER" or "BIGINT" or "UTINYINT" or "USMALLINT" or "UINTEGER" or "UBIGINT" or "HUGEINT" or "UHUGEINT";

    private static bool IsNumber(string sqlType) =>
        IsInteger(sqlType) || sqlType is "FLOAT" or "DOUBLE" || (sqlType.StartsWith("DECIMAL", StringComparison.Ordinal) && !sqlType.EndsWith(']'));

    /// <summary>"INTEGER" of "INTEGER[]" and of "INTEGER[3]"; null for what is no list.</summary>
    private static string? Element(string sqlType) => sqlType.EndsWith(']') ? sqlType[..sqlType.LastIndexOf('[')] : null;

    [GeneratedRegex("(\"(?:[^\"]|\"\")*\")|\\b(?:TIMESTAMP WITH TIME ZONE|TIME WITH TIME ZONE|TIMESTAMP_NS|TIMESTAMP|DATE|TIME|UUID)\\b")]
    private static partial Regex GuessedType();
}
