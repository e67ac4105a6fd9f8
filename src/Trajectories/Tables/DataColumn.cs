namespace Rlhf.Trajectories;

/// <summary>A column: its name, what it is read or written as and, when read, its type in the file in SQL words.</summary>
public sealed record DataColumn(string Name, ColumnType Type)
{
    /// <summary>The type in the file, such as "INTEGER[]"; empty for a column that is to be written.</summary>
    public string SqlType { get; init; } = "";

    /// <summary>When reading: true lets the file lack the column; <see cref="DataReader.Find"/> then gives −1.</summary>
    public bool Optional { get; init; }
}
