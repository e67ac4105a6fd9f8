using Rlhf.Core;

namespace Rlhf.Trajectories;

/// <summary>Which files some paths and patterns stand for.</summary>
public static class DataFiles
{
    /// <summary>The files in the order in which <see cref="DataReader"/> reads them.</summary>
    /// <exception cref="BadDataException">A file is missing, or a pattern matches none.</exception>
    public static IReadOnlyList<string> Of(IReadOnlyList<string> paths) => DataSource.Resolve(paths).Files;

    /// <summary>Refuses an output that is one of the inputs, by its own name, by a pattern that matches it or by a link that leads to it: its rows would be replaced.</summary>
    /// <param name="output">A file that is to be written.</param>
    /// <param name="inputs">Files and patterns that are read, texts (.txt) among them.</param>
    /// <exception cref="ConfigurationException">It is an input too.</exception>
    /// <exception cref="BadDataException">An input is missing, or a pattern matches no file.</exception>
    public static void RefuseInput(string output, params IEnumerable<string> inputs)
    {
        string target = Real(output);
        if (inputs.SelectMany(DataSource.FilesOf).Any(file => Real(file) == target)) throw new ConfigurationException($"'{output}' is both input and output; name another output.");
    }

    /// <summary>The path without links, of the file itself or of a folder above it.</summary>
    private static string Real(string path)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        if (Path.GetDirectoryName(full) is not { } folder) return full;
        string inside = Path.Combine(Real(folder), Path.GetFileName(full));
        FileSystemInfo? there = File.Exists(inside) ? new FileInfo(inside) : Directory.Exists(inside) ? new DirectoryInfo(inside) : null;
        return there?.ResolveLinkTarget(returnFinalTarget: true) is { } target ? Real(target.FullName) : inside;
    }
}
