using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace Flurrty.LocalAspire.Tests;

/// <summary>Writes the public members of an assembly down, one line each, without nullability, as the Aspire signatures were recorded.</summary>
internal static class PublicSurface
{
    private const BindingFlags Declared = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static readonly Dictionary<Type, string> Keywords = new()
    {
        [typeof(void)] = "void",
        [typeof(bool)] = "bool",
        [typeof(int)] = "int",
        [typeof(long)] = "long",
        [typeof(object)] = "object",
        [typeof(string)] = "string",
    };

    /// <summary>Lines of the form <c>Namespace.Type: member</c>, in order.</summary>
    internal static IEnumerable<string> Of(Assembly assembly) => assembly.GetExportedTypes()
        .Where(t => t.Namespace?.StartsWith("Aspire.", StringComparison.Ordinal) == true)
        .SelectMany(t => Members(t).Select(m => $"{TypeName(t)}: {m}"))
        .Order(StringComparer.Ordinal);

    private static string TypeName(Type type) => $"{type.Namespace}.{Name(type)}";

    private static IEnumerable<string> Members(Type type)
    {
        yield return Kind(type);
        if (type.IsEnum)
        {
            foreach (var value in Enum.GetNames(type))
            {
                yield return value;
            }

            yield break;
        }

        foreach (var constructor in type.GetConstructors(Declared).Where(c => c.IsPublic && !IsRecordPart(type, c)))
        {
            yield return $"{Plain(type)}({Parameters(constructor)})";
        }

        foreach (var field in type.GetFields(Declared).Where(f => f.IsPublic))
        {
            yield return $"{(field.IsStatic ? "static " : "")}{Name(field.FieldType)} {field.Name}";
        }

        foreach (var property in type.GetProperties(Declared).Where(p => p.GetMethod is { } get && (get.IsPublic || get.IsFamily)))
        {
            var set = property.SetMethod is { IsPublic: true } ? " set;" : "";
            yield return $"{(property.GetMethod!.IsStatic ? "static " : "")}{Name(property.PropertyType)} {property.Name} {{ get;{set} }}";
        }

        foreach (var method in type.GetMethods(Declared).Where(m => (m.IsPublic || m.IsFamily) && !IsAccessor(m) && !IsRecordPart(type, m)))
        {
            var isStatic = method.IsStatic && !(type.IsAbstract && type.IsSealed) ? "static " : "";
            yield return $"{isStatic}{Name(method.ReturnType)} {method.Name}{Generics(method)}({Parameters(method)}){Constraints(method)}";
        }
    }

    private static string Kind(Type type) => type switch
    {
        { IsEnum: true } => "enum",
        { IsInterface: true } => "interface",
        { IsValueType: true } => "struct",
        { IsAbstract: true, IsSealed: true } => "static class",
        _ => "class",
    };

    private static bool IsAccessor(MethodInfo method) => method.IsSpecialName && (method.Name.StartsWith("get_", StringComparison.Ordinal) || method.Name.StartsWith("set_", StringComparison.Ordinal));

    /// <summary>What the compiler adds to every record says nothing.</summary>
    private static bool IsRecordPart(Type type, MethodBase method) =>
        method.GetCustomAttribute<CompilerGeneratedAttribute>() is not null || (type.GetMethod("<Clone>$", Declared) is not null && method.Name is "Deconstruct" or "PrintMembers");

    private static string Parameters(MethodBase method)
    {
        var isExtension = method.IsDefined(typeof(ExtensionAttribute), inherit: false);
        return string.Join(", ", method.GetParameters().Select((p, i) =>
        {
            var prefix = i == 0 && isExtension ? "this " : p.IsDefined(typeof(ParamArrayAttribute), inherit: false) ? "params " : p.ParameterType.IsByRef ? "ref " : "";
            return $"{prefix}{Name(p.ParameterType)} {p.Name}{Default(p)}";
        }));
    }

    private static string Default(ParameterInfo parameter)
    {
        if (!parameter.HasDefaultValue)
        {
            return "";
        }

        return " = " + (parameter.RawDefaultValue switch
        {
            null => parameter.ParameterType.IsValueType ? "default" : "null",
            bool truth => truth ? "true" : "false",
            string text => $"\"{text}\"",
            var value when parameter.ParameterType.IsEnum => Enum.GetName(parameter.ParameterType, value) ?? value.ToString(),
            var value => Convert.ToString(value, CultureInfo.InvariantCulture),
        });
    }

    private static string Generics(MethodInfo method) => method.IsGenericMethodDefinition ? $"<{string.Join(", ", method.GetGenericArguments().Select(a => a.Name))}>" : "";

    private static string Constraints(MethodInfo method)
    {
        if (!method.IsGenericMethodDefinition)
        {
            return "";
        }

        return string.Concat(method.GetGenericArguments().Select(argument =>
        {
            List<string> constraints = [];
            if (argument.GenericParameterAttributes.HasFlag(GenericParameterAttributes.ReferenceTypeConstraint))
            {
                constraints.Add("class");
            }

            constraints.AddRange(argument.GetGenericParameterConstraints().Select(Name));
            if (argument.GenericParameterAttributes.HasFlag(GenericParameterAttributes.DefaultConstructorConstraint))
            {
                constraints.Add("new()");
            }

            return constraints.Count == 0 ? "" : $" where {argument.Name} : {string.Join(", ", constraints)}";
        }));
    }

    private static string Plain(Type type) => type.Name.Split('`')[0];

    private static string Name(Type type)
    {
        if (type.IsByRef)
        {
            return Name(type.GetElementType()!);
        }

        if (Nullable.GetUnderlyingType(type) is { } underlying)
        {
            return Name(underlying) + "?";
        }

        if (type.IsArray)
        {
            return Name(type.GetElementType()!) + "[]";
        }

        if (Keywords.TryGetValue(type, out var keyword))
        {
            return keyword;
        }

        var name = type.IsGenericType ? $"{Plain(type)}<{string.Join(", ", type.GetGenericArguments().Select(Name))}>" : type.Name;
        return type is { IsNested: true, IsGenericParameter: false } ? $"{Name(type.DeclaringType!)}.{name}" : name;
    }
}
