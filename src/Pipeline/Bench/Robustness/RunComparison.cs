using Rlhf.Core;

namespace Rlhf.Pipeline.Bench;

/// <summary>
/// Holds two run directories against each other: the same files with the same bytes, but for what is documented to differ (the output path,
/// times of day, TensorBoard events, the report, warnings (of damage, too), wall-clock metrics).
/// </summary>
public static class RunComparison
{
    private static readonly string[] MayDiffer = ["manifest.json", "config.resolved.yaml", "run.lock", "run.lock.owner", "report.html", "report.json", "warnings.jsonl"];

    /// <summary>Every difference as a line; empty when equal.</summary>
    public static IReadOnlyList<string> Differences(string expected, string actual)
    {
        string[] a = Files(expected), b = Files(actual);
        List<string> differences = [.. a.Except(b).Select(f => $"{f} is missing"), .. b.Except(a).Select(f => $"{f} should not be there")];
        foreach (string file in a.Intersect(b))
        {
            string left = Path.Combine(expected, file), right = Path.Combine(actual, file);
            bool equal = file == "metrics.jsonl"
                ? MetricsFile.WithoutTimes(left) == MetricsFile.WithoutTimes(right)
                : new FileInfo(left).Length == new FileInfo(right).Length && Sha256.OfFile(left) == Sha256.OfFile(right);
            if (!equal) differences.Add($"{file} differs");
        }

        return differences;
    }

    /// <summary>Files that are compared, and their number of bytes.</summary>
    public static (int Files, long Bytes) Size(string run)
    {
        string[] files = Files(run);
        return (files.Length, files.Sum(f => new FileInfo(Path.Combine(run, f)).Length));
    }

    private static string[] Files(string folder) =>
    [
        .. Directory.GetFiles(folder, "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(folder, f))
            .Where(f => !MayDiffer.Contains(f) && !f.StartsWith("tensorboard/", StringComparison.Ordinal)).Order(StringComparer.Ordinal),
    ];
}
