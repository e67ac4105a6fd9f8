namespace Rlhf.Core;

/// <summary>Where a value was written: a line of a file, or an option of the command line.</summary>
/// <param name="Source">The file as the user named it, or <c>--set key=value</c>.</param>
/// <param name="Line">From 1; 0 when the source has no lines.</param>
/// <param name="Column">From 1; 0 when the source has no lines.</param>
/// <param name="Folder">What relative paths are relative to.</param>
internal readonly record struct ConfigPlace(string Source, int Line, int Column, string Folder)
{
    public string WithLine => Line > 0 ? $"{Source}:{Line}" : Source;
    public string WithColumn => Line > 0 ? $"{Source}:{Line}:{Column}" : Source;
}

/// <summary>A YAML value together with its place.</summary>
internal abstract record ConfigNode(ConfigPlace Place)
{
    /// <summary>"a section", "a list", "'text'": for messages.</summary>
    public abstract string Describe();
}

internal sealed record ConfigScalar(string Text, bool IsQuoted, ConfigPlace Place) : ConfigNode(Place)
{
    public bool IsNull => !IsQuoted && Text is "" or "~" or "null";
    public override string Describe() => IsQuoted || Text.Length == 0 ? $"'{Text}'" : Text;
}

internal sealed record ConfigSequence(List<ConfigNode> Items, ConfigPlace Place) : ConfigNode(Place)
{
    public override string Describe() => "a list";
}

internal sealed record ConfigMapping(List<ConfigEntry> Entries, ConfigPlace Place) : ConfigNode(Place)
{
    public override string Describe() => "a section";
    public ConfigEntry? Find(string key) => Entries.Find(e => e.Key == key);
}

/// <summary>One <c>key: value</c>; <paramref name="KeyPlace"/> is the place of the key.</summary>
internal sealed record ConfigEntry(string Key, ConfigPlace KeyPlace, ConfigNode Value);
