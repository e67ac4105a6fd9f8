using Rlhf.Trajectories;

namespace Rlhf.Optimization;

/// <summary>
/// The same comparisons in two forms, split into training and held-out: <c>pairs.*.jsonl</c> (prompt, chosen, rejected, margin) and
/// <c>rankings.*.jsonl</c> (prompt, ranking: best first). Nothing appears under its name before <see cref="Complete"/>.
/// </summary>
internal sealed class ComparisonFiles : IDisposable
{
    private static readonly DataColumn[] PairColumns = [new("prompt", ColumnType.Text), new("chosen", ColumnType.Text), new("rejected", ColumnType.Text), new("margin", ColumnType.Double)];
    private static readonly DataColumn[] RankColumns = [new("prompt", ColumnType.Text), new("ranking", ColumnType.TextList)];
    private readonly (DataWriter Train, DataWriter HeldOut) _pairs, _rankings;

    /// <summary>Refuses inputs that are among the files to be written.</summary>
    /// <exception cref="Rlhf.Core.ConfigurationException">One is.</exception>
    public static void RefuseInputs(string folder, IReadOnlyList<string> inputs)
    {
        foreach (string kind in (string[])["pairs", "rankings"])
        {
            DataFiles.RefuseInput(Train(folder, kind), inputs);
            DataFiles.RefuseInput(HeldOut(folder, kind), inputs);
        }
    }

    /// <param name="folder">Made when missing.</param>
    public ComparisonFiles(string folder)
    {
        Directory.CreateDirectory(folder);
        _pairs = Open("pairs", PairColumns);
        _rankings = Open("rankings", RankColumns);
        (DataWriter, DataWriter) Open(string kind, DataColumn[] columns) =>
            (DataWriter.Create(Train(folder, kind), columns), DataWriter.Create(HeldOut(folder, kind), columns));
    }

    private static string Train(string folder, string kind) => Path.Combine(folder, $"{kind}.train.jsonl");

    private static string HeldOut(string folder, string kind) => Path.Combine(folder, $"{kind}.heldout.jsonl");

    /// <summary>Answers of one prompt, best first.</summary>
    public void Ranking(bool heldOut, string prompt, IReadOnlyList<string> bestFirst)
    {
        DataWriter writer = heldOut ? _rankings.HeldOut : _rankings.Train;
        writer.Set(0, prompt);
        writer.Set(1, bestFirst);
        writer.EndRow();
    }

    /// <summary>One comparison of that ranking.</summary>
    public void Pair(bool heldOut, string prompt, string chosen, string rejected, double margin)
    {
        DataWriter writer = heldOut ? _pairs.HeldOut : _pairs.Train;
        writer.Set(0, prompt);
        writer.Set(1, chosen);
        writer.Set(2, rejected);
        writer.Set(3, margin);
        writer.EndRow();
    }

    /// <summary>All four files are whole.</summary>
    public void Complete()
    {
        foreach (DataWriter writer in All()) writer.Complete();
    }

    private IEnumerable<DataWriter> All() => [_pairs.Train, _pairs.HeldOut, _rankings.Train, _rankings.HeldOut];

    public void Dispose()
    {
        foreach (DataWriter writer in All()) writer.Dispose();
    }
}
