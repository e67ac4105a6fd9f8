using Rlhf.Core;

namespace Rlhf.Pipeline.Bench;

/// <summary>Where a benchmark writes its results into a document: between <c>&lt;!-- results: NAME --&gt;</c> and <c>&lt;!-- end --&gt;</c>.</summary>
internal static class ResultsPlace
{
    /// <summary>The document with the text in that place.</summary>
    /// <param name="document">Markdown.</param>
    /// <param name="name">The document's, for messages.</param>
    /// <param name="results">Which results.</param>
    /// <param name="text">Ends with a line break.</param>
    /// <exception cref="BadDataException">The document has no such place.</exception>
    public static string Put(string document, string name, string results, string text)
    {
        string begin = $"<!-- results: {results} -->\n", end = "<!-- end -->";
        int from = document.IndexOf(begin, StringComparison.Ordinal), to = from < 0 ? -1 : document.IndexOf(end, from, StringComparison.Ordinal);
        if (to < 0) throw new BadDataException($"{name}: it has no place for these results; a line '{begin.TrimEnd()}' and after it a line '{end}' mark it.");
        return $"{document[..(from + begin.Length)]}{text}{document[to..]}";
    }
}
