using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Dcp;

namespace Aspire.Hosting.Orchestration;

/// <summary>Decides where every endpoint is: behind the orchestrator's proxy, or directly at the process.</summary>
internal sealed class EndpointAllocator(DcpClient dcp, DcpOptions options, TimeProvider time)
{
    private const int LowestPort = 20_000;
    private const uint Ports = 12_000;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static int _lastPort = Random.Shared.Next();

    internal Task AllocateAsync(IEnumerable<ProcessResource> processes, CancellationToken cancellationToken) => Task.WhenAll(processes
        .SelectMany(p => p.Resource.Annotations.OfType<EndpointAnnotation>().Select(e => (Process: p, Endpoint: e)))
        .ToArray()
        .Select(x => AllocateAsync(x.Process, x.Endpoint, cancellationToken)));

    // Below the range from which the system takes the ports of outgoing connections: until the server listens, one of those could take the port.
    private static int FreePort()
    {
        while (true)
        {
            var port = LowestPort + (int)((uint)Interlocked.Increment(ref _lastPort) % Ports);
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
                return port;
            }
            catch (SocketException taken) when (taken.SocketErrorCode == SocketError.AddressAlreadyInUse)
            {
                // The next one, then.
            }
        }
    }

    private async Task AllocateAsync(ProcessResource process, EndpointAnnotation endpoint, CancellationToken cancellationToken)
    {
        var what = $"endpoint '{endpoint.Name}' of resource '{process.Resource.Name}'";
        if (process.Instances.Count > 1 && (!endpoint.IsProxied || endpoint.TargetPort is not null))
        {
            throw new DistributedApplicationException($"The {what} cannot have a fixed target port or do without a proxy: the resource has several replicas.");
        }

        if (!endpoint.IsProxied)
        {
            var port = endpoint.Port ?? endpoint.TargetPort ?? FreePort();
            endpoint.Port = port;
            endpoint.AllocatedEndpoint = new AllocatedEndpoint(endpoint, endpoint.TargetHost, port, endpoint.TargetPort?.ToString(CultureInfo.InvariantCulture));
            return;
        }

        var wanted = options.RandomizePorts ? null : endpoint.Port;
        if (wanted is not null && wanted == endpoint.TargetPort)
        {
            throw new DistributedApplicationException($"The {what} has the same port and target port {wanted}, but a proxy between them. Leave one out, or use isProxied: false.");
        }

        var name = $"{process.Resource.Name}-{endpoint.Name}".ToLowerInvariant();
        var service = await dcp.CreateServiceAsync(
            new DcpService
            {
                Metadata = new DcpMetadata { Name = name },
                Spec = new DcpServiceSpec { Port = wanted, Protocol = endpoint.Protocol == ProtocolType.Udp ? "UDP" : "TCP" },
            },
            cancellationToken);
        var began = time.GetTimestamp();
        while (service.Status?.EffectivePort is null or 0)
        {
            if (time.GetElapsedTime(began) > Patience)
            {
                throw new DistributedApplicationException(wanted is null
                    ? $"The orchestrator found no port for the {what} within {Patience.TotalSeconds:0} s."
                    : $"The port {wanted} of the {what} is taken by another program.");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20), time, cancellationToken);
            service = await dcp.GetServiceAsync(name, cancellationToken);
        }

        process.Producers.Add(new DcpServiceProducer { ServiceName = name, Address = endpoint.TargetHost, Port = endpoint.TargetPort });
        endpoint.AllocatedEndpoint = new AllocatedEndpoint(
            endpoint,
            service.Status.EffectiveAddress ?? "localhost",
            service.Status.EffectivePort.Value,
            endpoint.TargetPort?.ToString(CultureInfo.InvariantCulture) ?? $$$"""{{- portForServing "{{{name}}}" -}}""");
    }
}
