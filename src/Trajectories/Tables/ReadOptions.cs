namespace Rlhf.Trajectories;

/// <summary>What to read from a table and how.</summary>
public sealed record ReadOptions
{
    /// <summary>The columns wanted, with the types they are wanted as; null reads all columns as the types that fit them best.</summary>
    public IReadOnlyList<DataColumn>? Columns { get; init; }

    /// <summary>Field separator of CSV files; default: comma, tab for .tsv.</summary>
    public char? Delimiter { get; init; }

    /// <summary>Native threads; 1 keeps the cores for the engines. The order of rows is the file's with any number.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>Native memory bound in DuckDB's words.</summary>
    public string MemoryLimit { get; init; } = "2GB";
}
