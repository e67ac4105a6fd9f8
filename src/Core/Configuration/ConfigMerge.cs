namespace Rlhf.Core;

/// <summary>Lays one mapping over another: sections are merged key by key, anything else (a list too) is replaced whole.</summary>
internal static class ConfigMerge
{
    public static ConfigMapping Over(ConfigMapping standing, ConfigMapping over)
    {
        List<ConfigEntry> entries = [.. standing.Entries];
        foreach (ConfigEntry entry in over.Entries)
        {
            int at = entries.FindIndex(e => e.Key == entry.Key);
            if (at < 0) entries.Add(entry);
            else if (entries[at].Value is ConfigMapping below && entry.Value is ConfigMapping above) entries[at] = entries[at] with { Value = Over(below, above) };
            else entries[at] = entry;
        }

        return over with { Entries = entries };
    }

    /// <summary>Former names become the names of today; where a mapping has both, what comes later is laid over what comes before.</summary>
    public static ConfigMapping WithCurrentNames(ConfigMapping mapping, ConfigField[] fields)
    {
        if (!mapping.Entries.Exists(e => Array.Exists(fields, f => f.FormerName == e.Key))) return mapping;
        ConfigMapping result = mapping with { Entries = [] };
        foreach (ConfigEntry entry in mapping.Entries)
        {
            ConfigField? renamed = Array.Find(fields, f => f.FormerName == entry.Key);
            ConfigEntry current = renamed is null ? entry : entry with { Key = renamed.Key };
            result = Over(result, mapping with { Entries = [current] });
        }

        return result;
    }
}
