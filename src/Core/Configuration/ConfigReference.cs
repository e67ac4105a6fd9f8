using System.Collections;
using System.Reflection;
using System.Text;

namespace Rlhf.Core;

/// <summary>The reference of a configuration type as Markdown: one table a section, from the types themselves.</summary>
public static class ConfigReference
{
    /// <summary>All sections of <typeparamref name="T"/>, the outermost first.</summary>
    public static string ToMarkdown<T>()
        where T : class
    {
        StringBuilder text = new();
        Queue<(Type Type, string Path, object? Defaults)> open = new([(typeof(T), "", ConfigType.New(typeof(T)))]);
        while (open.TryDequeue(out (Type Type, string Path, object? Defaults) section))
        {
            text.Append(section.Path.Length == 0 ? "## Top level\n" : $"\n## {section.Path}\n");
            if (section.Type.GetCustomAttribute<DocAttribute>() is { } doc) text.Append('\n').Append(doc.Text).Append('\n');
            text.Append("\n| key | type | default | allowed | meaning |\n| --- | --- | --- | --- | --- |\n");
            foreach (ConfigField field in ConfigType.FieldsOf(section.Type))
            {
                object? standing = section.Defaults is null ? null : field.Property.GetValue(section.Defaults);
                text.Append($"| `{field.Key}` | {TypeOf(field)} | {DefaultOf(field, standing)} | {AllowedIn(field)} | {Cell(field.Doc)} |\n");
                (Type? inner, string suffix) = Inner(field.Type);
                if (inner is not null) open.Enqueue((inner, (section.Path.Length == 0 ? "" : section.Path + ".") + field.Key + suffix, suffix.Length == 0 && standing is not null ? standing : ConfigType.New(inner)));
            }
        }

        return text.ToString();
    }

    private static (Type? Section, string Suffix) Inner(Type type)
    {
        if (ConfigType.ElementOf(type) is { } element) return (ConfigType.IsSection(element) ? element : null, "[]");
        if (ConfigType.ValueOf(type) is { } named) return (ConfigType.IsSection(named) ? named : null, ".NAME");
        return (ConfigType.IsSection(type) ? type : null, "");
    }

    private static string TypeOf(ConfigField field)
    {
        if (field.IsPath) return ConfigType.ElementOf(field.Type) is null ? "path" : "list of paths";
        string name = ConfigType.NameOf(field.Type);
        if (field.Type.IsEnum) name = "choice";
        return name.Replace("a section of named values", "named values", StringComparison.Ordinal).Replace("a whole number", "integer", StringComparison.Ordinal)
            .Replace("a number", "number", StringComparison.Ordinal).Replace("true or false", "boolean", StringComparison.Ordinal)
            .Replace("a ", "", StringComparison.Ordinal);
    }

    private static string DefaultOf(ConfigField field, object? value)
    {
        if (field.IsRequired) return "**required**";
        if (value is null) return "none";
        if (value is IDictionary names) return names.Count == 0 ? "none" : "see below";
        if (value is IEnumerable list and not string) return list.Cast<object?>().All(v => v is null || ConfigType.IsScalar(v.GetType())) ? $"`{Cell(ConfigText.Of(value))}`" : "see below";
        return ConfigType.IsScalar(value.GetType()) ? $"`{Cell(ConfigText.Of(value))}`" : "see below";
    }

    private static string AllowedIn(ConfigField field)
    {
        if (field.Range is { } range) return range.ToString();
        if (field.Choices is { } choices) return string.Join(", ", choices.Select(c => $"`{c}`"));
        return field.Type.IsEnum ? string.Join(", ", Enum.GetNames(field.Type).Select(n => $"`{ConfigText.SnakeCase(n)}`")) : "";
    }

    private static string Cell(string text) => text.Replace("|", "\\|", StringComparison.Ordinal).Replace("\n", " ", StringComparison.Ordinal);
}
