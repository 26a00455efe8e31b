using System.Diagnostics.CodeAnalysis;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>A program that is started as it is.</summary>
public class ExecutableResource : Resource, IResourceWithEnvironment, IResourceWithArgs, IResourceWithEndpoints, IResourceWithWaitSupport, IComputeResource
{
    /// <summary>Describes a program.</summary>
    public ExecutableResource(string name, string command, string workingDirectory)
        : base(name)
    {
        ArgumentException.ThrowIfNullOrEmpty(command);
        ArgumentNullException.ThrowIfNull(workingDirectory);
        Command = command;
        WorkingDirectory = workingDirectory;
    }

    /// <summary>The program: a path, or a name that is looked up in PATH.</summary>
    public string Command { get; internal set; }

    /// <summary>Where it runs.</summary>
    public string WorkingDirectory { get; internal set; }
}

/// <summary>A .NET project of the solution.</summary>
public class ProjectResource(string name)
    : Resource(name), IResourceWithEnvironment, IResourceWithArgs, IResourceWithServiceDiscovery, IResourceWithWaitSupport, IComputeResource;

/// <summary>A value that comes from outside of the application.</summary>
public class ParameterResource : Resource, IManifestExpressionProvider, IValueProvider
{
    private readonly Lazy<string> _value;

    /// <summary>Describes a parameter; the callback reads its value, and may throw <see cref="MissingParameterValueException"/>.</summary>
    public ParameterResource(string name, Func<ParameterDefault?, string> callback, bool secret = false)
        : base(name)
    {
        ArgumentNullException.ThrowIfNull(callback);
        _value = new Lazy<string>(() => callback(Default));
        Secret = secret;
    }

    /// <summary>The value where none is given.</summary>
    public ParameterDefault? Default { get; set; }

    /// <summary>Whether the value must not be shown.</summary>
    public bool Secret { get; }

    /// <summary>Whether the value is a connection string.</summary>
    public bool IsConnectionString { get; set; }

    /// <inheritdoc />
    public string ValueExpression => $"{{{Name}.value}}";

    /// <summary>The value.</summary>
    [SuppressMessage("Design", "MA0061", Justification = "The signature is Aspire's.")]
    public ValueTask<string?> GetValueAsync(CancellationToken cancellationToken) => ValueTask.FromResult<string?>(_value.Value);

    internal static string FromConfiguration(IConfiguration configuration, string key, string name, ParameterDefault? fallback)
    {
        // A hyphen cannot be part of an environment variable's name, so both spellings are read.
        var value = configuration[key] ?? configuration[key.Replace('-', '_')];
        return value
            ?? fallback?.GetDefaultValue()
            ?? throw new MissingParameterValueException($"Parameter resource could not be used because configuration key '{key}' is missing and the parameter '{name}' has no default value.");
    }
}

/// <summary>The value of a parameter that nobody gave.</summary>
public abstract class ParameterDefault
{
    /// <summary>Makes the value.</summary>
    public abstract string GetDefaultValue();
}

/// <summary>A connection string that is read from configuration.</summary>
internal sealed class ConfiguredConnectionString(string name, Func<string?> read, string? environmentVariable) : Resource(name), IResourceWithConnectionString
{
    public string? ConnectionStringEnvironmentVariable => environmentVariable;

    public ReferenceExpression ConnectionStringExpression
    {
        get
        {
            var builder = new ReferenceExpressionBuilder();
            builder.AppendLiteral(Read());
            return builder.Build();
        }
    }

    public ValueTask<string?> GetConnectionStringAsync(CancellationToken cancellationToken = default) => ValueTask.FromResult<string?>(Read());

    private string Read() => read()
        ?? throw new MissingParameterValueException($"Connection string '{Name}' is missing: set ConnectionStrings:{Name}.");
}
