namespace Rlhf.Core;

/// <summary>
/// Builds a configuration record from its defaults, a YAML file and <c>--set key=value</c>; each wins over the one before.
/// Reports every problem at once and never changes a value.
/// </summary>
public static class ConfigBinder
{
    /// <summary>Loads <typeparamref name="T"/>.</summary>
    /// <param name="path">The YAML file, or null for the defaults.</param>
    /// <param name="overrides">Dotted <c>key=value</c> texts; lists are indexed (<c>rewards.0.weight=2</c>).</param>
    /// <exception cref="ConfigurationException">All problems, each with its place, what was found and what is expected.</exception>
    public static T Load<T>(string? path, IEnumerable<string>? overrides = null)
        where T : class
    {
        string shown = path ?? "configuration";
        ConfigPlace nowhere = new(shown, 0, 0, Directory.GetCurrentDirectory());
        ConfigNode root = path is null ? new ConfigMapping([], nowhere) : ConfigFiles.Read(path, shown);
        root = ConfigOverrides.Apply(root, overrides ?? []);
        ConfigBinding binding = new(nowhere);
        object? value = binding.Section(typeof(T), ConfigType.New(typeof(T)), root, "");
        binding.ThrowIfAny();
        return (T)value!;
    }

    /// <summary>A configuration file and those that it extends, the file itself first.</summary>
    /// <exception cref="ConfigurationException">One is missing or cannot be read.</exception>
    public static IReadOnlyList<string> FilesOf(string path)
    {
        List<string> files = [];
        ConfigFiles.Read(path, path, files);
        return files;
    }

    /// <summary>The text that file and overrides give a dotted key, before anything is checked; null when they say nothing about it.</summary>
    /// <exception cref="ConfigurationException">The file cannot be read.</exception>
    public static string? Written(string? path, IEnumerable<string> overrides, string key)
    {
        ConfigNode? node = path is null ? new ConfigMapping([], new ConfigPlace("configuration", 0, 0, "")) : ConfigFiles.Read(path, path);
        node = ConfigOverrides.Apply(node, overrides);
        foreach (string part in key.Split('.')) node = (node as ConfigMapping)?.Find(part)?.Value;
        return (node as ConfigScalar)?.Text;
    }

    /// <summary>Loads <typeparamref name="T"/> from a YAML text; <paramref name="name"/> stands for the file in messages.</summary>
    /// <exception cref="ConfigurationException">All problems.</exception>
    public static T Parse<T>(string yaml, string name = "configuration")
        where T : class
    {
        ConfigPlace place = new(name, 0, 0, Directory.GetCurrentDirectory());
        ConfigBinding binding = new(place);
        object? value = binding.Section(typeof(T), ConfigType.New(typeof(T)), YamlReader.ReadText(yaml, place), "");
        binding.ThrowIfAny();
        return (T)value!;
    }
}
