namespace Rlhf.Core;

/// <summary>One field in which two configurations differ; a value is null where the field (of a list or dictionary) is not there.</summary>
/// <param name="Key">The dotted key.</param>
/// <param name="Left">As YAML, or null.</param>
/// <param name="Right">As YAML, or null.</param>
/// <param name="IsSafeToChange">True when the field is marked <see cref="SafeToChangeAttribute"/>.</param>
public sealed record ConfigDifference(string Key, string? Left, string? Right, bool IsSafeToChange)
{
    /// <summary>"ppo.clip_range: 0.2 → 0.1".</summary>
    public override string ToString() => $"{Key}: {Left ?? "(absent)"} → {Right ?? "(absent)"}";

    /// <summary>All differences of two resolved configurations of one type, in the order of the type.</summary>
    public static IReadOnlyList<ConfigDifference> Between<T>(T left, T right)
        where T : class
    {
        IReadOnlyList<KeyValuePair<string, string>> a = ConfigWriter.Flatten(left), b = ConfigWriter.Flatten(right);
        Dictionary<string, string> inA = new(a), inB = new(b);
        return [.. a.Concat(b).Select(p => p.Key).Distinct()
            .Select(key => new ConfigDifference(key, inA.GetValueOrDefault(key), inB.GetValueOrDefault(key), IsSafe(typeof(T), key)))
            .Where(d => d.Left != d.Right)];
    }

    private static bool IsSafe(Type type, string key)
    {
        foreach (string part in key.Split('.'))
        {
            if (ConfigType.ElementOf(type) is { } element)
            {
                type = element;
                continue;
            }

            if (ConfigType.ValueOf(type) is { } named)
            {
                type = named;
                continue;
            }

            if (Array.Find(ConfigType.FieldsOf(type), f => f.Key == part) is not { } field) return false;
            if (field.IsSafeToChange) return true;
            type = field.Type;
        }

        return false;
    }
}
