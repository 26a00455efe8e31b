using System.Net.Sockets;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>Says that a resource listens on a port.</summary>
public sealed class EndpointAnnotation : IResourceAnnotation
{
    private readonly TaskCompletionSource<AllocatedEndpoint> _allocated = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int? _port;
    private int? _targetPort;
    private string? _transport;

    /// <summary>Describes an endpoint; without a name it is called like its scheme.</summary>
    public EndpointAnnotation(
        ProtocolType protocol,
        string? uriScheme = null,
        string? transport = null,
        string? name = null,
        int? port = null,
        int? targetPort = null,
        bool? isExternal = null,
        bool? isProxied = null)
    {
        UriScheme = uriScheme ?? (protocol == ProtocolType.Udp ? "udp" : "tcp");
        Name = name ?? UriScheme;
        ModelName.Validate(Name, "endpoint");
        Protocol = protocol;
        _transport = transport;
        _port = port;
        _targetPort = targetPort;
        IsExternal = isExternal ?? false;
        IsProxied = isProxied ?? true;
    }

    /// <summary>The name, unique in its resource.</summary>
    public string Name { get; set; }

    /// <summary>TCP or UDP.</summary>
    public ProtocolType Protocol { get; set; }

    /// <summary>The port that clients use; null lets one be chosen.</summary>
    public int? Port
    {
        get => _port ?? (IsProxied ? null : _targetPort);
        set => _port = value;
    }

    /// <summary>The port that the process listens on; null lets one be chosen.</summary>
    public int? TargetPort
    {
        get => _targetPort ?? (IsProxied ? null : _port);
        set => _targetPort = value;
    }

    /// <summary>The scheme of its URL.</summary>
    public string UriScheme { get; set; }

    /// <summary>The address that the process listens on.</summary>
    public string TargetHost { get; set; } = "localhost";

    /// <summary>The protocol above TCP, for example <c>http</c> or <c>http2</c>.</summary>
    public string Transport
    {
        get => _transport ?? (UriScheme is "http" or "https" ? "http" : UriScheme);
        set => _transport = value;
    }

    /// <summary>Whether it is meant for the outside of the application.</summary>
    public bool IsExternal { get; set; }

    /// <summary>Whether the orchestrator listens in front of the process.</summary>
    public bool IsProxied { get; set; }

    /// <summary>Whether a reference to the resource leaves this endpoint out.</summary>
    public bool ExcludeReferenceEndpoint { get; set; }

    /// <summary>Where the endpoint really is; null until that is decided.</summary>
    public AllocatedEndpoint? AllocatedEndpoint
    {
        get => _allocated.Task.IsCompletedSuccessfully ? _allocated.Task.GetAwaiter().GetResult() : null;
        set
        {
            ArgumentNullException.ThrowIfNull(value);
            _allocated.TrySetResult(value);
        }
    }

    /// <summary>The variable that tells the process its port.</summary>
    internal string? TargetPortEnvironmentVariable { get; set; }

    internal Task<AllocatedEndpoint> WaitForAllocationAsync(CancellationToken cancellationToken) => _allocated.Task.WaitAsync(cancellationToken);

    internal void FailAllocation(Exception reason) => _allocated.TrySetException(reason);
}

/// <summary>Where an endpoint really is.</summary>
public class AllocatedEndpoint
{
    /// <summary>Records a place.</summary>
    public AllocatedEndpoint(EndpointAnnotation endpoint, string address, int port, string? targetPortExpression = null)
    {
        Endpoint = endpoint;
        Address = address;
        Port = port;
        TargetPortExpression = targetPortExpression;
    }

    /// <summary>The endpoint that was placed.</summary>
    public EndpointAnnotation Endpoint { get; }

    /// <summary>The host that clients use.</summary>
    public string Address { get; }

    /// <summary>The port that clients use.</summary>
    public int Port { get; }

    /// <summary>The port that the process listens on, or the orchestrator's template for it.</summary>
    public string? TargetPortExpression { get; }

    /// <summary>The scheme of the URL.</summary>
    public string UriScheme => Endpoint.UriScheme;

    /// <summary>Host and port.</summary>
    public string EndPointString => $"{Address}:{Port}";

    /// <summary>The whole URL.</summary>
    public string UriString => $"{UriScheme}://{EndPointString}";

    /// <inheritdoc />
    public override string ToString() => UriString;
}

/// <summary>What can be asked of an endpoint.</summary>
public enum EndpointProperty
{
    /// <summary>The whole URL.</summary>
    Url,

    /// <summary>The host name.</summary>
    Host,

    /// <summary>The host as an IPv4 address.</summary>
    IPV4Host,

    /// <summary>The port that clients use.</summary>
    Port,

    /// <summary>The scheme.</summary>
    Scheme,

    /// <summary>The port that the process listens on.</summary>
    TargetPort,

    /// <summary>Host and port.</summary>
    HostAndPort,

    /// <summary>Whether it speaks TLS.</summary>
    TlsEnabled,
}

/// <summary>An endpoint of a resource, usable before it exists.</summary>
public sealed class EndpointReference : IManifestExpressionProvider, IValueProvider, IValueWithReferences
{
    private EndpointAnnotation? _annotation;

    /// <summary>Refers to an endpoint by name.</summary>
    public EndpointReference(IResourceWithEndpoints owner, string endpointName)
    {
        ArgumentNullException.ThrowIfNull(owner);
        ArgumentException.ThrowIfNullOrEmpty(endpointName);
        Resource = owner;
        EndpointName = endpointName;
    }

    /// <summary>Refers to an endpoint.</summary>
    public EndpointReference(IResourceWithEndpoints owner, EndpointAnnotation endpoint)
    {
        ArgumentNullException.ThrowIfNull(owner);
        ArgumentNullException.ThrowIfNull(endpoint);
        Resource = owner;
        EndpointName = endpoint.Name;
        _annotation = endpoint;
    }

    /// <summary>The description of the endpoint.</summary>
    public EndpointAnnotation EndpointAnnotation => Find()
        ?? throw new InvalidOperationException($"The endpoint '{EndpointName}' is not defined for the resource '{Resource.Name}'.");

    /// <summary>Whose endpoint it is.</summary>
    public IResourceWithEndpoints Resource { get; }

    /// <summary>Its name.</summary>
    public string EndpointName { get; }

    /// <summary>Whether the resource has it.</summary>
    public bool Exists => Find() is not null;

    /// <summary>Whether its place is decided.</summary>
    public bool IsAllocated => Find()?.AllocatedEndpoint is not null;

    /// <summary>Whether it speaks HTTP.</summary>
    public bool IsHttp => string.Equals(Scheme, "http", StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether it speaks HTTPS.</summary>
    public bool IsHttps => string.Equals(Scheme, "https", StringComparison.OrdinalIgnoreCase);

    /// <summary>The port that clients use.</summary>
    public int Port => Allocated.Port;

    /// <summary>The port that the process listens on, where it is fixed.</summary>
    public int? TargetPort => EndpointAnnotation.TargetPort;

    /// <summary>The host that clients use.</summary>
    public string Host => Allocated.Address;

    /// <summary>The scheme of its URL.</summary>
    public string Scheme => EndpointAnnotation.UriScheme;

    /// <summary>Its URL.</summary>
    public string Url => Allocated.UriString;

    string IManifestExpressionProvider.ValueExpression => ExpressionFor(EndpointProperty.Url);

    IEnumerable<object> IValueWithReferences.References => [Resource];

    private AllocatedEndpoint Allocated => EndpointAnnotation.AllocatedEndpoint
        ?? throw new InvalidOperationException($"The endpoint '{EndpointName}' is not allocated for the resource '{Resource.Name}'.");

    /// <summary>One property of the endpoint as a value.</summary>
    public EndpointReferenceExpression Property(EndpointProperty property) => new(this, property);

    /// <inheritdoc />
    public ValueTask<string?> GetValueAsync(CancellationToken cancellationToken = default) =>
        Property(EndpointProperty.Url).GetValueAsync(cancellationToken);

    internal string ExpressionFor(EndpointProperty property) =>
        $"{{{Resource.Name}.bindings.{EndpointName}.{EndpointReferenceExpression.NameOf(property)}}}";

    private EndpointAnnotation? Find() => _annotation ??= Resource.Annotations
        .OfType<EndpointAnnotation>()
        .FirstOrDefault(a => string.Equals(a.Name, EndpointName, StringComparison.OrdinalIgnoreCase));
}

/// <summary>One property of an endpoint as a value.</summary>
public class EndpointReferenceExpression(EndpointReference endpointReference, EndpointProperty property)
    : IManifestExpressionProvider, IValueProvider, IValueWithReferences
{
    /// <summary>The endpoint.</summary>
    public EndpointReference Endpoint { get; } = endpointReference ?? throw new ArgumentNullException(nameof(endpointReference));

    /// <summary>The property.</summary>
    public EndpointProperty Property { get; } = property;

    /// <inheritdoc />
    public string ValueExpression => Endpoint.ExpressionFor(Property);

    IEnumerable<object> IValueWithReferences.References => [Endpoint];

    /// <inheritdoc />
    public async ValueTask<string?> GetValueAsync(CancellationToken cancellationToken = default)
    {
        switch (Property)
        {
            case EndpointProperty.Scheme:
                return Endpoint.Scheme;
            case EndpointProperty.IPV4Host:
                return "127.0.0.1";
            case EndpointProperty.TlsEnabled:
                return Endpoint.IsHttps ? bool.TrueString : bool.FalseString;
            case EndpointProperty.TargetPort when Endpoint.TargetPort is { } fixedPort:
                return fixedPort.ToString(System.Globalization.CultureInfo.InvariantCulture);
            default:
                var allocated = await Endpoint.EndpointAnnotation.WaitForAllocationAsync(cancellationToken);
                return Property switch
                {
                    EndpointProperty.Url => allocated.UriString,
                    EndpointProperty.Host => allocated.Address,
                    EndpointProperty.Port => allocated.Port.ToString(System.Globalization.CultureInfo.InvariantCulture),
                    EndpointProperty.HostAndPort => allocated.EndPointString,
                    EndpointProperty.TargetPort => allocated.TargetPortExpression,
                    _ => throw new InvalidOperationException($"The property '{Property}' is not supported for the endpoint '{Endpoint.EndpointName}'."),
                };
        }
    }

    internal static string NameOf(EndpointProperty property) => property switch
    {
        EndpointProperty.Url => "url",
        EndpointProperty.Host or EndpointProperty.IPV4Host => "host",
        EndpointProperty.Port => "port",
        EndpointProperty.Scheme => "scheme",
        EndpointProperty.TargetPort => "targetPort",
        EndpointProperty.HostAndPort => "hostAndPort",
        EndpointProperty.TlsEnabled => "tlsEnabled",
        _ => throw new InvalidOperationException($"The property '{property}' is unknown."),
    };
}
