using System.Reflection;
using System.Runtime.CompilerServices;

namespace Rlhf.Core;

/// <summary>One configuration field, read from a property once.</summary>
internal sealed class ConfigField
{
    public ConfigField(PropertyInfo property)
    {
        Property = property;
        Key = ConfigText.SnakeCase(property.Name);
        Doc = property.GetCustomAttribute<DocAttribute>()?.Text ?? "";
        Range = property.GetCustomAttribute<RangeAttribute>();
        Choices = property.GetCustomAttribute<OneOfAttribute>()?.Choices;
        IsRequired = property.IsDefined(typeof(RequiredAttribute)) || property.IsDefined(typeof(RequiredMemberAttribute));
        FormerName = property.GetCustomAttribute<FormerNameAttribute>()?.Key;
        IsPath = property.IsDefined(typeof(PathRelativeAttribute));
        IsSafeToChange = property.IsDefined(typeof(SafeToChangeAttribute));
        AllowsNull = new NullabilityInfoContext().Create(property).WriteState == NullabilityState.Nullable;
    }

    public PropertyInfo Property { get; }
    public string Key { get; }
    public string Doc { get; }
    public RangeAttribute? Range { get; }
    public IReadOnlyList<string>? Choices { get; }
    public string? FormerName { get; }
    public bool IsRequired { get; }
    public bool IsPath { get; }
    public bool IsSafeToChange { get; }
    public bool AllowsNull { get; }

    /// <summary>The type without Nullable.</summary>
    public Type Type => Nullable.GetUnderlyingType(Property.PropertyType) ?? Property.PropertyType;
}

/// <summary>What the binder, the writer and the reference know about configuration types.</summary>
internal static class ConfigType
{
    private static readonly Dictionary<Type, ConfigField[]> Known = [];

    /// <summary>Settable public properties in the order they are declared, those of base records first.</summary>
    public static ConfigField[] FieldsOf(Type type)
    {
        lock (Known)
        {
            if (Known.TryGetValue(type, out ConfigField[]? fields)) return fields;
            List<Type> chain = [];
            for (Type? t = type; t is not null && t != typeof(object); t = t.BaseType) chain.Insert(0, t);
            fields = [.. chain
                .SelectMany(t => t.GetProperties(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly).OrderBy(p => p.MetadataToken))
                .Where(p => p.SetMethod is { IsPublic: true } && p.GetIndexParameters().Length == 0)
                .DistinctBy(p => p.Name)
                .Select(p => new ConfigField(p))];
            return Known[type] = fields;
        }
    }

    public static bool IsScalar(Type type) =>
        type.IsPrimitive || type.IsEnum || type == typeof(string) || (Nullable.GetUnderlyingType(type) is { } inner && IsScalar(inner));

    /// <summary>The element type of a list, or null.</summary>
    public static Type? ElementOf(Type type)
    {
        if (type.IsArray) return type.GetElementType();
        if (!type.IsGenericType || type == typeof(string)) return null;
        Type definition = type.GetGenericTypeDefinition();
        return definition == typeof(IReadOnlyList<>) || definition == typeof(List<>) || definition == typeof(IReadOnlyCollection<>) || definition == typeof(IList<>)
            ? type.GetGenericArguments()[0]
            : null;
    }

    /// <summary>The value type of a dictionary of named things, or null.</summary>
    public static Type? ValueOf(Type type)
    {
        if (!type.IsGenericType) return null;
        Type definition = type.GetGenericTypeDefinition();
        bool isDictionary = definition == typeof(IReadOnlyDictionary<,>) || definition == typeof(Dictionary<,>) || definition == typeof(IDictionary<,>);
        return isDictionary && type.GetGenericArguments()[0] == typeof(string) ? type.GetGenericArguments()[1] : null;
    }

    /// <summary>A record (or class) whose properties are fields.</summary>
    public static bool IsSection(Type type) => !IsScalar(type) && ElementOf(type) is null && ValueOf(type) is null;

    /// <summary>A new instance with its defaults.</summary>
    public static object New(Type type) => Activator.CreateInstance(type)
        ?? throw new InvalidOperationException($"{type.Name} needs a constructor without parameters to be a configuration section.");

    /// <summary>A copy of a record, so that binding never writes into a shared default.</summary>
    public static object Copy(object section) => section.GetType().GetMethod("<Clone>$")?.Invoke(section, null) ?? New(section.GetType());

    /// <summary>"a whole number", "a list": for messages and the reference.</summary>
    public static string NameOf(Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type == typeof(string)) return "text";
        if (type == typeof(bool)) return "true or false";
        if (type == typeof(double) || type == typeof(float)) return "a number";
        if (type.IsEnum) return $"one of {string.Join(", ", Enum.GetNames(type).Select(ConfigText.SnakeCase))}";
        if (type.IsPrimitive) return "a whole number";
        if (ElementOf(type) is not null) return "a list";
        return ValueOf(type) is not null ? "a section of named values" : "a section";
    }
}
