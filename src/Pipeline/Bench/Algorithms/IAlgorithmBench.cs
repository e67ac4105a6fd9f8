namespace Rlhf.Pipeline.Bench;

/// <summary>What <c>rlhf bench algorithms</c> is asked for.</summary>
public sealed record AlgorithmBenchOptions
{
    /// <summary>Seeds 1 … n.</summary>
    public int Seeds { get; init; } = 5;

    /// <summary>Methods to run, by name; empty: all.</summary>
    public IReadOnlyList<string> Only { get; init; } = [];

    /// <summary>Threads of libtorch; 0: all cores.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>Whether a method was asked for.</summary>
    public bool Wants(string method) => Only.Count == 0 || Only.Contains(method, StringComparer.Ordinal);
}

/// <summary>One task of <c>rlhf bench algorithms</c> on which methods are compared.</summary>
public interface IAlgorithmBench
{
    /// <summary>Short name: the argument of --task, and the place of its table in docs/algorithms.md.</summary>
    string Name { get; }

    /// <summary>One line about the task.</summary>
    string Description { get; }

    /// <summary>Columns and rows of its table, made by training every method that was asked for.</summary>
    /// <param name="options">Seeds and methods.</param>
    /// <param name="told">What is being done, for people who wait.</param>
    /// <param name="cancellation">Honoured between steps.</param>
    AlgorithmTable Run(AlgorithmBenchOptions options, Action<string> told, CancellationToken cancellation);
}

/// <summary>A task's results as texts (for tables) and as numbers (for JSON).</summary>
/// <param name="Task">Of <see cref="IAlgorithmBench.Name"/>.</param>
/// <param name="Columns">Headings.</param>
/// <param name="Rows">Cells.</param>
/// <param name="Numbers">What --json prints for the task.</param>
public sealed record AlgorithmTable(string Task, IReadOnlyList<string> Columns, IReadOnlyList<IReadOnlyList<string>> Rows, object Numbers)
{
    /// <summary>As Markdown.</summary>
    public string ToMarkdown()
    {
        static string Line(IEnumerable<string> cells) => $"| {string.Join(" | ", cells.Select(c => c.Replace("|", "\\|", StringComparison.Ordinal)))} |\n";
        return Line(Columns) + Line(Columns.Select(_ => "---")) + string.Concat(Rows.Select(Line));
    }

    /// <summary>Writes the table between <c>&lt;!-- results: TASK --&gt;</c> and <c>&lt;!-- end --&gt;</c> of a document.</summary>
    /// <exception cref="Core.BadDataException">The document has no such place.</exception>
    public string PutInto(string document, string name, string note) => ResultsPlace.Put(document, name, Task, $"{note}\n\n{ToMarkdown()}");
}
