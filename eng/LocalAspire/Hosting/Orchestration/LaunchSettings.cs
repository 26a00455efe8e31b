using System.Text.RegularExpressions;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Orchestration;

/// <summary>A resolved value, and whether it holds a secret.</summary>
internal readonly record struct ResolvedValue(string Text, bool IsSecret);

/// <summary>What a process is started with.</summary>
internal sealed record LaunchSettings(
    string Command,
    string WorkingDirectory,
    IReadOnlyList<ResolvedValue> LaunchArguments,
    IReadOnlyList<ResolvedValue> Arguments,
    IReadOnlyDictionary<string, ResolvedValue> Environment);

/// <summary>Asks the annotations of a resource for all that its process needs.</summary>
internal static partial class LaunchResolver
{
    internal static async Task<LaunchSettings> ResolveAsync(
        IResource resource,
        string instanceId,
        DistributedApplicationExecutionContext executionContext,
        ILogger logger,
        CancellationToken cancellationToken)
    {
        var variables = new EnvironmentCallbackContext(executionContext, resource, [], cancellationToken) { Logger = logger };
        foreach (var annotation in resource.Annotations.OfType<EnvironmentCallbackAnnotation>().ToArray())
        {
            await annotation.Callback(variables);
        }

        var environment = new Dictionary<string, ResolvedValue>(StringComparer.Ordinal);
        foreach (var (name, value) in variables.EnvironmentVariables)
        {
            if (await ResolveAsync(value, instanceId, cancellationToken) is { } resolved)
            {
                environment[name] = resolved;
            }
        }

        var args = new CommandLineArgsCallbackContext([], resource, cancellationToken) { Logger = logger, ExecutionContext = executionContext };
        foreach (var annotation in resource.Annotations.OfType<CommandLineArgsCallbackAnnotation>().ToArray())
        {
            await annotation.Callback(args);
        }

        List<ResolvedValue> arguments = [];
        foreach (var arg in args.Args)
        {
            if (await ResolveAsync(arg, instanceId, cancellationToken) is { } resolved)
            {
                arguments.Add(resolved);
            }
        }

        return resource switch
        {
            ExecutableResource executable => new LaunchSettings(executable.Command, executable.WorkingDirectory, [], arguments, environment),
            ProjectResource project => Project(project, arguments, environment),
            _ => throw new InvalidOperationException($"The resource '{resource.Name}' is not a process."),
        };
    }

    /// <summary>Makes text of a value; null if there is none.</summary>
    internal static async ValueTask<ResolvedValue?> ResolveAsync(object? value, string instanceId, CancellationToken cancellationToken)
    {
        var text = value switch
        {
            null => null,
            string given => given,
            IResourceBuilder<IResource> { Resource: IValueProvider provider } => await provider.GetValueAsync(cancellationToken),
            IValueProvider provider => await provider.GetValueAsync(cancellationToken),
            IFormattable formattable => formattable.ToString(null, System.Globalization.CultureInfo.InvariantCulture),
            _ => value.ToString(),
        };
        return text is null ? null : new ResolvedValue(Escape(InstancePlaceholder.Fill(text, instanceId)), HoldsSecret(value, []));
    }

    /// <summary>Whether a value is, or is made of, a secret.</summary>
    internal static bool HoldsSecret(object? value, HashSet<object> seen)
    {
        if (value is null or string || !seen.Add(value))
        {
            return false;
        }

        return value switch
        {
            ParameterResource parameter => parameter.Secret,
            SecretText or ConfiguredConnectionString => true,
            IResourceBuilder<IResource> builder => HoldsSecret(builder.Resource, seen),
            IValueWithReferences composed => composed.References.Any(part => HoldsSecret(part, seen)),
            _ => false,
        };
    }

    private static LaunchSettings Project(ProjectResource project, List<ResolvedValue> arguments, Dictionary<string, ResolvedValue> environment)
    {
        if (!project.TryGetLastAnnotation<IProjectMetadata>(out var metadata))
        {
            throw new DistributedApplicationException($"Project resource '{project.Name}' has no project.");
        }

        var assembly = ProjectOutput.AssemblyOf(metadata);
        return new LaunchSettings(
            ProjectOutput.DotnetHost,
            Path.GetDirectoryName(metadata.ProjectPath)!,
            [new("exec", false), new(assembly, false)],
            arguments,
            environment);
    }

    // The orchestrator fills templates in variables and arguments. Only its own ports are meant to be one:
    // braces in anything else, a password for example, must arrive as they are.
    private static string Escape(string value) =>
        value.Contains("{{", StringComparison.Ordinal) ? Braces().Replace(value, "{{\"{{\"}}") : value;

    [GeneratedRegex("""\{\{(?!- portForServing "[^"]+" -\}\})""", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Braces();
}
