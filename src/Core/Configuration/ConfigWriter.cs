using System.Collections;
using System.Globalization;
using System.Text;

namespace Rlhf.Core;

/// <summary>Writes a configuration record as YAML: every field, in the order of the type, so that two files can be compared line by line.</summary>
public static class ConfigWriter
{
    /// <summary>The YAML text; <see cref="ConfigBinder"/> reads an equal record back from it.</summary>
    public static string ToYaml(object config)
    {
        StringBuilder text = new();
        WriteSection(text, config, 0);
        return text.ToString();
    }

    /// <summary>Every leaf as (dotted key, value as text), in the order of <see cref="ToYaml"/>.</summary>
    public static IReadOnlyList<KeyValuePair<string, string>> Flatten(object config)
    {
        List<KeyValuePair<string, string>> leaves = [];
        Collect(leaves, config, "");
        return leaves;
    }

    private static IEnumerable<(string Key, object? Value)> Members(object section) =>
        section is IDictionary names
            ? names.Keys.Cast<string>().Order(StringComparer.Ordinal).Select(k => (k, names[k]))
            : ConfigType.FieldsOf(section.GetType()).Select(f => (f.Key, f.Property.GetValue(section)));

    private static bool IsLeaf(object? value) => value is null || ConfigType.IsScalar(value.GetType());

    private static void Collect(List<KeyValuePair<string, string>> leaves, object section, string path)
    {
        foreach ((string key, object? value) in Members(section)) CollectValue(leaves, value, path.Length == 0 ? key : $"{path}.{key}");
    }

    private static void CollectValue(List<KeyValuePair<string, string>> leaves, object? value, string path)
    {
        if (IsLeaf(value))
        {
            leaves.Add(new(path, Scalar(value)));
        }
        else if (value is IEnumerable list and not IDictionary)
        {
            object?[] items = [.. list.Cast<object?>()];
            if (items.All(IsLeaf)) leaves.Add(new(path, Inline(items)));
            else for (int i = 0; i < items.Length; i++) CollectValue(leaves, items[i], string.Create(CultureInfo.InvariantCulture, $"{path}.{i}"));
        }
        else
        {
            Collect(leaves, value!, path);
        }
    }

    private static void WriteSection(StringBuilder text, object section, int indent)
    {
        foreach ((string key, object? value) in Members(section))
        {
            text.Append(' ', indent).Append(Quoted(key)).Append(':');
            WriteValue(text, value, indent);
        }
    }

    private static void WriteValue(StringBuilder text, object? value, int indent)
    {
        if (IsLeaf(value))
        {
            text.Append(' ').Append(Scalar(value)).Append('\n');
        }
        else if (value is IEnumerable list and not IDictionary)
        {
            object?[] items = [.. list.Cast<object?>()];
            if (items.All(IsLeaf))
            {
                text.Append(' ').Append(Inline(items)).Append('\n');
                return;
            }

            text.Append('\n');
            foreach (object? item in items)
            {
                text.Append(' ', indent + 2).Append('-');
                if (IsLeaf(item))
                {
                    text.Append(' ').Append(Scalar(item)).Append('\n');
                    continue;
                }

                // "- key: value" with the following keys below the first.
                int start = text.Length;
                WriteSection(text, item!, indent + 4);
                if (text.Length == start) text.Append(" {}\n");
                else text.Remove(start, indent + 3);
            }
        }
        else
        {
            if (!Members(value!).Any())
            {
                text.Append(" {}\n");
                return;
            }

            text.Append('\n');
            WriteSection(text, value!, indent + 2);
        }
    }

    private static string Inline(object?[] items) => $"[{string.Join(", ", items.Select(Scalar))}]";
    private static string Scalar(object? value) => value is string text ? Quoted(text) : ConfigText.Of(value);

    /// <summary>Plain where YAML cannot misread it, else double-quoted.</summary>
    private static string Quoted(string text)
    {
        bool isPlain = text.Length > 0 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '/' or '.') && char.IsAsciiLetter(text[0])
            && text is not ("true" or "false" or "null" or "yes" or "no" or "on" or "off" or "y" or "n");
        if (isPlain || (text.Length > 1 && text[0] == '/' && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '/' or '.'))) return text;
        StringBuilder quoted = new("\"");
        foreach (char c in text)
        {
            quoted.Append(c switch
            {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                _ when char.IsControl(c) || c is '\u2028' or '\u2029' or '\uFEFF' || char.IsSurrogate(c) => $"\\u{(int)c:X4}",
                _ => c.ToString(),
            });
        }

        return quoted.Append('"').ToString();
    }
}
