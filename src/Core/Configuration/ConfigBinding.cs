using System.Collections;
using System.Globalization;

namespace Rlhf.Core;

/// <summary>Fills one configuration's sections, lists and values from its nodes, and gathers what is wrong with them.</summary>
/// <param name="document">The place of the whole, for what has none of its own.</param>
internal sealed class ConfigBinding(ConfigPlace document)
{
    private readonly List<(ConfigPlace Place, string Text)> _problems = [];
    private readonly Dictionary<string, ConfigPlace> _places = [];
    private readonly HashSet<string> _listed = [];

    public void ThrowIfAny()
    {
        if (_problems.Count == 0) return;
        // In the order of the file; the command line and missing fields after it.
        throw new ConfigurationException([.. _problems.OrderBy(p => p.Place.Line == 0 ? int.MaxValue : p.Place.Line).ThenBy(p => p.Place.Column).Select(p => p.Text)]);
    }

    /// <summary>Fills <paramref name="section"/> (its defaults) from a mapping; null when something in it is wrong.</summary>
    public object? Section(Type type, object section, ConfigNode node, string path)
    {
        if (node is ConfigScalar { IsNull: true }) return Checked(section, path);
        if (node is not ConfigMapping mapping)
        {
            Add(node.Place, Name(path), $"is {node.Describe()}; it must be a section (key: value lines).");
            return null;
        }

        ConfigField[] fields = ConfigType.FieldsOf(type);
        mapping = ConfigMerge.WithCurrentNames(mapping, fields);
        section = WithChosenDefaults(section, mapping, fields);
        int before = _problems.Count;
        foreach (ConfigEntry entry in mapping.Entries)
        {
            string key = Join(path, entry.Key);
            ConfigField? field = Array.Find(fields, f => f.Key == entry.Key);
            if (field is null)
            {
                AddUnknown(entry, path, fields);
                continue;
            }

            _places[key] = entry.Value.Place;
            int problems = _problems.Count;
            object? value = Field(field, field.Property.GetValue(section), entry.Value, key);
            if (_problems.Count == problems) field.Property.SetValue(section, value);
        }

        foreach (ConfigField field in fields.Where(f => f.IsRequired && mapping.Find(f.Key) is null))
        {
            ConfigPlace place = mapping.Place.Line > 0 && path.Length > 0 ? mapping.Place : document;
            string meaning = field.Doc.Length > 0 ? $" ({field.Doc.TrimEnd('.')})" : "";
            _problems.Add((place, $"{place.WithLine}: {Join(path, field.Key)} is missing; it has no default{meaning}. Add it to the file or give --set {Join(path, field.Key)}=VALUE."));
        }

        return _problems.Count == before ? Checked(section, path) : null;
    }

    /// <summary>The defaults of the choice that the mapping makes; a choice that is no member is told where the field itself is read.</summary>
    private static object WithChosenDefaults(object section, ConfigMapping mapping, ConfigField[] fields)
    {
        if (section is not IChosenDefaults chooser) return section;
        ConfigField choice = fields.First(f => f.Property.Name == chooser.ChoiceProperty);
        if (mapping.Find(choice.Key)?.Value is not ConfigScalar written || ConfigScalars.Parse(choice.Type, written) is not Enum member) return section;
        return member.Equals(choice.Property.GetValue(section)) ? section : chooser.DefaultsOf(member);
    }

    /// <summary>Sections that nobody wrote a line about are checked too, and then the section itself.</summary>
    private object? Checked(object section, string path)
    {
        int before = _problems.Count;
        foreach (ConfigField field in ConfigType.FieldsOf(section.GetType()))
        {
            string key = Join(path, field.Key);
            if (!_places.ContainsKey(key) && ConfigType.IsSection(field.Type) && field.Property.GetValue(section) is { } untouched) Checked(untouched, key);
        }

        if (section is IValidated validated)
        {
            foreach (ConfigProblem problem in validated.Validate()) AddCrossField(section, path, problem);
        }

        return _problems.Count == before ? section : null;
    }

    private object? Field(ConfigField field, object? standing, ConfigNode node, string key)
    {
        if (node is ConfigScalar { IsNull: true } && field.AllowsNull) return null;
        return Value(field.Type, field, standing, node, key);
    }

    private object? Value(Type type, ConfigField field, object? standing, ConfigNode node, string key)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (ConfigType.IsScalar(type)) return Scalar(type, field, node, key);
        if (ConfigType.ElementOf(type) is { } element) return List(type, element, field, node, key);
        if (ConfigType.ValueOf(type) is { } named) return Dictionary(named, field, standing as IEnumerable, node, key);
        return Section(type, standing is null ? ConfigType.New(type) : ConfigType.Copy(standing), node, key);
    }

    private object? List(Type type, Type element, ConfigField field, ConfigNode node, string key)
    {
        if (node is not ConfigSequence sequence)
        {
            Add(node.Place, key, $"is {node.Describe()}; it must be a list, for example [a, b].");
            return null;
        }

        Array items = Array.CreateInstance(element, sequence.Items.Count);
        for (int i = 0; i < items.Length; i++)
        {
            string itemKey = Join(key, i.ToString(CultureInfo.InvariantCulture));
            _places[itemKey] = sequence.Items[i].Place;
            object? item = Value(element, field, null, sequence.Items[i], itemKey);
            if (item is not null) items.SetValue(item, i);
        }

        return type.IsArray || type.IsInterface ? items : Activator.CreateInstance(type, items);
    }

    private object? Dictionary(Type valueType, ConfigField field, IEnumerable? standing, ConfigNode node, string key)
    {
        if (node is not ConfigMapping mapping)
        {
            Add(node.Place, key, $"is {node.Describe()}; it must be a section of names and values.");
            return null;
        }

        // Names of the default stay and can be refined one by one, like the fields of a section.
        IDictionary all = (IDictionary)Activator.CreateInstance(typeof(Dictionary<,>).MakeGenericType(typeof(string), valueType))!;
        if (standing is IDictionary defaults)
        {
            foreach (DictionaryEntry entry in defaults) all[entry.Key] = entry.Value;
        }

        foreach (ConfigEntry entry in mapping.Entries)
        {
            string entryKey = Join(key, entry.Key);
            _places[entryKey] = entry.Value.Place;
            object? value = Value(valueType, field, all.Contains(entry.Key) ? all[entry.Key] : null, entry.Value, entryKey);
            if (value is not null) all[entry.Key] = value;
        }

        return all;
    }

    private object? Scalar(Type type, ConfigField field, ConfigNode node, string key)
    {
        object? value = node is ConfigScalar scalar ? ConfigScalars.Parse(type, scalar) : null;
        if (type == typeof(string) && !field.IsRequired && node is ConfigScalar { Text: "", IsNull: true, Place.Line: 0 }) value = ""; // --set key= on a command line means the empty text
        if (value is null)
        {
            string hint = type.IsEnum && node is ConfigScalar written ? Suggestion(written.Text, Enum.GetNames(type).Select(ConfigText.SnakeCase)) : "";
            Add(node.Place, key, $"is {node.Describe()}; it must be {ConfigType.NameOf(type)}.{hint}");
            return null;
        }

        if (field.Range is { } range && value is IConvertible and not (string or bool) && !type.IsEnum && !range.Contains(Convert.ToDouble(value, CultureInfo.InvariantCulture)))
        {
            Add(node.Place, key, $"is {ConfigText.Of(value)}; it must be {range}.");
            return null;
        }

        if (value is not string text) return value;
        if (field.Choices is { } choices && !choices.Contains(text))
        {
            Add(node.Place, key, $"is {node.Describe()}; it must be one of {string.Join(", ", choices)}.{Suggestion(text, choices)}");
            return null;
        }

        return field.IsPath && text.Length > 0 ? Path.GetFullPath(Path.Combine(node.Place.Folder, text)) : text;
    }

    private void AddUnknown(ConfigEntry entry, string path, ConfigField[] fields)
    {
        string key = Join(path, entry.Key);
        string? near = NearestName.Of(entry.Key, fields.Select(f => f.Key));
        // A file of another kind has many: what is known is told once.
        string help = near is not null ? $"; did you mean {Join(path, near)}?" : _listed.Add(path) ? $"; known here: {string.Join(", ", fields.Select(f => f.Key))}." : ".";
        _problems.Add((entry.KeyPlace, $"{entry.KeyPlace.WithColumn}: {key} is not a known key{help}"));
    }

    private void AddCrossField(object section, string path, ConfigProblem problem)
    {
        string field = ConfigText.SnakeCase(problem.Field);
        string key = field.Length == 0 ? path : Join(path, field);
        ConfigPlace place = document;
        string value = "";
        if (_places.TryGetValue(key, out ConfigPlace written)) place = written;
        if (TryGet(section, field, out object? found)) value = $"is {ConfigText.Of(found)}{(_places.ContainsKey(key) ? "" : " (default)")}; it ";
        Add(place, Name(key), value + problem.Expectation);
    }

    private static bool TryGet(object section, string field, out object? value)
    {
        value = section;
        if (field.Length == 0) return false;
        foreach (string part in field.Split('.'))
        {
            ConfigField? next = value is null ? null : Array.Find(ConfigType.FieldsOf(value.GetType()), f => f.Key == part);
            if (next is null) return false;
            value = next.Property.GetValue(value);
        }

        return value is null || ConfigType.IsScalar(value.GetType()) || ConfigType.ElementOf(value.GetType()) is { } e && ConfigType.IsScalar(e);
    }

    private void Add(ConfigPlace place, string key, string text) => _problems.Add((place, $"{place.WithLine}: {key} {text}"));

    private static string Suggestion(string found, IEnumerable<string> choices) => NearestName.Of(found, choices) is { } near ? $" Did you mean {near}?" : "";
    private static string Join(string path, string key) => path.Length == 0 ? key : $"{path}.{key}";
    private static string Name(string path) => path.Length == 0 ? "the document" : path;
}
