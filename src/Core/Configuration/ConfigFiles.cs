namespace Rlhf.Core;

/// <summary>
/// A configuration file and those that it builds on: <c>extends: base.yaml</c> (a path relative to the file) reads that one first and lays this one
/// over it. Paths and line numbers stay those of the file that each value is written in.
/// </summary>
internal static class ConfigFiles
{
    private const string Extends = "extends";
    private const int MaximumDepth = 8;

    public static ConfigNode Read(string path, string shownAs, List<string>? read = null) => Read(path, shownAs, read, 0);

    private static ConfigNode Read(string path, string shownAs, List<string>? read, int depth)
    {
        read?.Add(path);
        ConfigNode node = YamlReader.ReadFile(path, shownAs);
        if (node is not ConfigMapping mapping || mapping.Find(Extends) is not { } entry) return node;
        if (entry.Value is not ConfigScalar { IsNull: false } name)
        {
            throw new ConfigurationException($"{entry.Value.Place.WithLine}: extends is {entry.Value.Describe()}; it must be the path of one configuration file.");
        }

        if (depth == MaximumDepth) throw new ConfigurationException($"{name.Place.WithLine}: extends goes through more than {MaximumDepth} files. Does a file extend itself?");
        string below = Path.GetFullPath(Path.Combine(name.Place.Folder, name.Text));
        if (!File.Exists(below)) throw new ConfigurationException($"{name.Place.WithLine}: extends is {name.Text}; there is no file {below}.");
        ConfigMapping rest = mapping with { Entries = [.. mapping.Entries.Where(e => e.Key != Extends)] };
        ConfigNode standing = Read(below, Path.Combine(Path.GetDirectoryName(shownAs) ?? "", name.Text), read, depth + 1);
        return standing is ConfigMapping under ? ConfigMerge.Over(under, rest) : rest;
    }
}
