using System.Globalization;

namespace Rlhf.Core;

/// <summary>The report of a run directory. What only the loop knows (title, outcomes, samples, warnings) is kept as <c>report.json</c>, so that the page can be made again.</summary>
public static class RunReport
{
    /// <summary>The name beside <c>report.html</c>.</summary>
    public const string DraftName = "report.json";

    /// <summary>Stores <paramref name="draft"/> without what the directory has in other files, and writes <c>report.html</c>.</summary>
    /// <exception cref="BadDataException">A file cannot be read or written.</exception>
    public static void Write(RunDirectory run, ReportData draft)
    {
        RunJson.Write(Path.Combine(run.Root, DraftName), draft with { Metrics = [], ConfigYaml = "", Environment = [] });
        ReportWriter.Write(run.ReportPath, Compose(run, draft));
    }

    /// <summary>Makes the page again from the files of the directory, also while the run goes on.</summary>
    /// <param name="run">The run.</param>
    /// <param name="path">Where to write; <c>report.html</c> of the run when null.</param>
    /// <exception cref="BadDataException">A file cannot be read or written.</exception>
    public static void Rewrite(RunDirectory run, string? path = null)
    {
        ReportWriter.Write(path ?? run.ReportPath, Read(run));
    }

    /// <summary>What the page is made of, from the files of the run.</summary>
    public static ReportData Read(RunDirectory run)
    {
        string draft = Path.Combine(run.Root, DraftName);
        ReportData data = File.Exists(draft)
            ? RunJson.Read<ReportData>(draft)
            : new ReportData { Title = Path.GetFileName(run.Root), Summary = "The run has not finished an evaluation yet; these are its curves so far.", Warnings = RunWarnings.Read(run.WarningsPath) };
        return Compose(run, data);
    }

    /// <summary>Adds metrics, configuration and environment from the directory where <paramref name="draft"/> has none.</summary>
    public static ReportData Compose(RunDirectory run, ReportData draft)
    {
        RunManifest manifest = run.ReadManifest();
        return draft with
        {
            Metrics = draft.Metrics.Count > 0 || !File.Exists(run.MetricsPath) ? draft.Metrics : MetricsFile.Read(run.MetricsPath),
            ConfigYaml = draft.ConfigYaml.Length > 0 ? draft.ConfigYaml : FileErrors.Reading(run.ConfigPath, () => File.ReadAllText(run.ConfigPath)),
            Environment = draft.Environment.Count > 0 ? draft.Environment : EnvironmentOf(manifest),
        };
    }

    /// <summary>The manifest as name and text, in a fixed order.</summary>
    public static IReadOnlyList<KeyValuePair<string, string>> EnvironmentOf(RunManifest manifest)
    {
        CultureInfo culture = CultureInfo.InvariantCulture;
        List<KeyValuePair<string, string>> facts =
        [
            new("Command", string.Join(' ', manifest.Command)),
            new("Began", manifest.Started.ToUniversalTime().ToString("yyyy-MM-dd HH:mm 'UTC'", culture)),
            new("Seed", manifest.Seed.ToString(culture)),
            new("Threads", manifest.Threads.ToString(culture)),
            new("Machine", $"{manifest.OperatingSystem}, {manifest.Architecture}, {manifest.Processors.ToString(culture)} processors"),
            new("Configuration (SHA-256)", manifest.ConfigSha256),
        ];
        facts.AddRange(manifest.Changes.Select(c => new KeyValuePair<string, string>($"Changed after iteration {c.AfterIteration.ToString(culture)}", string.Join(", ", c.Set))));
        facts.AddRange(manifest.Versions.OrderBy(v => v.Key, StringComparer.Ordinal));
        facts.AddRange(manifest.Inputs.OrderBy(v => v.Key, StringComparer.Ordinal).Select(i => new KeyValuePair<string, string>($"{i.Key} (SHA-256)", i.Value)));
        return [.. facts.Where(f => !string.IsNullOrEmpty(f.Value))];
    }
}
