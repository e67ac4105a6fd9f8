using System.Globalization;

namespace Rlhf.Core;

/// <summary>Lays <c>--set key=value</c> over what a file says. Later ones win.</summary>
internal static class ConfigOverrides
{
    public static ConfigNode Apply(ConfigNode root, IEnumerable<string> overrides)
    {
        foreach (string text in overrides)
        {
            int equals = text.IndexOf('=', StringComparison.Ordinal);
            string key = equals < 0 ? "" : text[..equals].Trim();
            if (key.Length == 0 || key.Split('.').Any(part => part.Length == 0))
                throw new ConfigurationException($"--set {text}: expected key=value with a dotted key, for example --set ppo.clip_range=0.1.");
            ConfigPlace place = new($"--set {text}", 0, 0, Directory.GetCurrentDirectory());
            root = Put(root, key.Split('.'), YamlReader.ReadValue(text[(equals + 1)..], place), place);
        }

        return root;
    }

    private static ConfigNode Put(ConfigNode? node, ReadOnlySpan<string> path, ConfigNode value, ConfigPlace place)
    {
        if (path.IsEmpty) return value;
        if (node is ConfigSequence list && int.TryParse(path[0], NumberStyles.None, CultureInfo.InvariantCulture, out int index) && index <= list.Items.Count)
        {
            List<ConfigNode> items = [.. list.Items];
            if (index == items.Count) items.Add(Put(null, path[1..], value, place));
            else items[index] = Put(items[index], path[1..], value, place);
            return list with { Items = items };
        }

        ConfigMapping mapping = node as ConfigMapping ?? new ConfigMapping([], place);
        List<ConfigEntry> entries = [.. mapping.Entries];
        string key = path[0];
        int at = entries.FindIndex(e => e.Key == key);
        ConfigEntry entry = new(key, place, Put(at < 0 ? null : entries[at].Value, path[1..], value, place));
        // The place of a section stays where the file has it; only the value set comes from the command line.
        if (at < 0) entries.Add(entry);
        else entries[at] = path.Length == 1 ? entry : entry with { KeyPlace = entries[at].KeyPlace };
        return mapping with { Entries = entries };
    }
}
