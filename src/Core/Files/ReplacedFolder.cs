namespace Rlhf.Core;

/// <summary>An output folder that is replaced as a whole takes with it whatever lies there: only files of its own kind may.</summary>
public static class ReplacedFolder
{
    /// <summary>Looks through the folder before any work.</summary>
    /// <param name="option">The option that named it, for the error.</param>
    /// <param name="folder">It need not be there.</param>
    /// <param name="what">"an exported model".</param>
    /// <param name="isOwn">Whether such a folder has a file of this name.</param>
    /// <exception cref="ConfigurationException">It holds a folder or another file, or is a file itself.</exception>
    /// <exception cref="BadDataException">It cannot be read.</exception>
    public static void Check(string option, string folder, string what, Func<string, bool> isOwn)
    {
        if (File.Exists(folder)) throw new ConfigurationException($"{option} {folder} is a file; give a folder, which need not be there.");
        if (!Directory.Exists(folder)) return;
        string[] names = FileErrors.Reading(folder, () => Directory.EnumerateFileSystemEntries(folder).Order(StringComparer.Ordinal).ToArray());
        if (names.FirstOrDefault(n => Directory.Exists(n) || !isOwn(Path.GetFileName(n))) is not { } foreign) return;
        throw new ConfigurationException($"{option} {folder} holds '{Path.GetFileName(foreign)}', which is no part of {what}; the whole folder would be replaced and that lost. Give a folder that is not there yet, or take out what is to be kept.");
    }
}
