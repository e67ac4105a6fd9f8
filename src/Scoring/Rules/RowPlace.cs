namespace Rlhf.Scoring;

/// <summary>Where a row comes from, for messages: "FILE, row N" with N from 1, as every error about data says it.</summary>
/// <param name="File">Input file or pattern; null: the row is of no file.</param>
/// <param name="Number">Row of the input, from 0, whatever window or shard it is in.</param>
public readonly record struct RowPlace(string? File, long Number)
{
    public override string ToString() => File is null ? "a row" : $"{File}, row {Number + 1}";
}
