using System.Globalization;
using System.Reflection;
using NUnit.Framework;
using TorchSharp;

namespace Rlhf.Torch.Tests;

/// <summary>The binding is a strict subset of TorchSharp: every public member is a line of the surface file, so that the nuget build compiles.</summary>
[TestFixture]
public sealed class SurfaceTests
{
    // Public in TorchSharp, but outside of the file's selection.
    private static readonly HashSet<string> s_typesNotInTheFile =
        ["ILifetimeStatistics", "LifetimeStatistics", "ThreadDisposeScopeStatistics", "TensorAccessor", "torch.RoundingMode", "torch.autograd.Function"];

    private static readonly Dictionary<Type, string> s_keywords = new()
    {
        [typeof(void)] = "void", [typeof(bool)] = "bool", [typeof(byte)] = "byte", [typeof(sbyte)] = "sbyte", [typeof(short)] = "short", [typeof(int)] = "int",
        [typeof(long)] = "long", [typeof(float)] = "float", [typeof(double)] = "double", [typeof(string)] = "string", [typeof(object)] = "object",
    };

    [Test]
    public void Every_public_member_is_in_the_surface_file()
    {
        Dictionary<string, HashSet<string>> surface = Read(Checkout.Shared("reference/torchsharp-surface.txt"));
        List<string> extra = [];
        int compared = 0;
        foreach (Type type in typeof(torch).Assembly.GetExportedTypes())
        {
            string name = Name(type, declaration: true);
            if (s_typesNotInTheFile.Contains(name)) continue;
            if (!surface.TryGetValue(name, out HashSet<string>? lines))
            {
                extra.Add($"## {name}");
                continue;
            }
            foreach (string member in type.IsEnum ? [Enumeration(type)] : Members(type))
            {
                compared++;
                if (!lines.Contains(member)) extra.Add($"{name}: {member}");
            }
        }
        Assert.That(extra, Is.Empty, "not in TorchSharp:\n" + string.Join('\n', extra));
        Assert.That(compared, Is.GreaterThan(500));
    }

    private static Dictionary<string, HashSet<string>> Read(string file)
    {
        Dictionary<string, HashSet<string>> types = [];
        HashSet<string> current = [];
        foreach (string line in File.ReadLines(file))
        {
            if (line.StartsWith("## ", StringComparison.Ordinal))
            {
                string name = line.Split(" : ")[0].Split(' ')[^1];
                if (!types.TryGetValue(name, out current!)) types[name] = current = [];
            }
            else
            {
                current.Add(line);
            }
        }
        return types;
    }

    private static string Enumeration(Type type) => string.Join(", ", Enum.GetValues(type).Cast<object>()
        .Select(value => $"{value}={Convert.ToInt64(value, CultureInfo.InvariantCulture)}"));

    private static IEnumerable<string> Members(Type type)
    {
        const BindingFlags flags = BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;
        bool isStatic(MethodBase method) => method.IsStatic;
        foreach (ConstructorInfo constructor in type.GetConstructors()) if (!type.IsValueType || constructor.GetParameters().Length > 0) yield return $"new({Parameters(constructor)})";
        foreach (FieldInfo field in type.GetFields(flags)) yield return $"{(field.IsStatic ? "static " : "")}{Name(field.FieldType)} {field.Name}";
        foreach (PropertyInfo property in type.GetProperties(flags))
        {
            bool get = property.GetMethod is { IsPublic: true }, set = property.SetMethod is { IsPublic: true };
            string accessors = "{ " + (get ? "get; " : "") + (set ? "set; " : "") + "}";
            ParameterInfo[] indices = property.GetIndexParameters();
            string name = indices.Length == 0 ? property.Name : $"this[{string.Join(", ", indices.Select(Parameter))}]";
            yield return $"{(isStatic(property.GetMethod ?? property.SetMethod!) ? "static " : "")}{Name(property.PropertyType)} {name} {accessors}";
        }
        foreach (MethodInfo method in type.GetMethods(flags))
        {
            if (method.IsSpecialName && !method.Name.StartsWith("op_", StringComparison.Ordinal)) continue;
            string generics = method.IsGenericMethod ? $"<{string.Join(", ", method.GetGenericArguments().Select(a => a.Name))}>" : "";
            yield return $"{(method.IsStatic ? "static " : "")}{Name(method.ReturnType)} {method.Name}{generics}({Parameters(method)})";
        }
    }

    private static string Parameters(MethodBase method) => string.Join(", ", method.GetParameters().Select(Parameter));

    private static string Parameter(ParameterInfo parameter)
    {
        string text = (parameter.IsDefined(typeof(ParamArrayAttribute)) ? "params " : "") + Name(parameter.ParameterType) + " " + parameter.Name;
        return parameter.HasDefaultValue ? $"{text} = {Default(parameter)}" : text;
    }

    private static string Default(ParameterInfo parameter)
    {
        object? value = parameter.DefaultValue;
        Type type = Nullable.GetUnderlyingType(parameter.ParameterType) ?? parameter.ParameterType;
        if (value is not null && type.IsEnum) return Enum.ToObject(type, value).ToString()!;
        return value switch
        {
            null => "null",
            bool flag => flag ? "true" : "false",
            string text => $"\"{text}\"",
            _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
        };
    }

    private static string Name(Type type, bool declaration = false)
    {
        if (s_keywords.TryGetValue(type, out string? keyword)) return keyword;
        if (type.IsByRef) return "ref " + Name(type.GetElementType()!);
        if (type.IsArray) return Name(type.GetElementType()!) + "[]";
        if (Nullable.GetUnderlyingType(type) is { } underlying) return Name(underlying) + "?";
        if (type.IsGenericParameter) return type.Name;
        string name = type.Name.Split('`')[0];
        if (type.DeclaringType is not null) name = Name(type.DeclaringType, declaration: true) + "." + name;
        Type[] own = type.GetGenericArguments();
        if (declaration || own.Length == 0) return name;
        return $"{name}<{string.Join(", ", own.Select(a => Name(a)))}>";
    }
}
