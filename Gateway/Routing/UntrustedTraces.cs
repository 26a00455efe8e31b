using System.Diagnostics;

namespace Flurrty.Gateway.Routing;

/// <summary>Starts a trace of our own for each request: a caller could otherwise choose its id, or switch it off.</summary>
internal sealed class UntrustedTraces : DistributedContextPropagator
{
    private readonly DistributedContextPropagator _onward = CreateW3CPropagator();

    public override IReadOnlyCollection<string> Fields => _onward.Fields;

    public override void Inject(Activity? activity, object? carrier, PropagatorSetterCallback? setter) => _onward.Inject(activity, carrier, setter);

    public override void ExtractTraceIdAndState(object? carrier, PropagatorGetterCallback? getter, out string? traceId, out string? traceState)
    {
        traceId = null;
        traceState = null;
    }

    public override IEnumerable<KeyValuePair<string, string?>>? ExtractBaggage(object? carrier, PropagatorGetterCallback? getter) => null;
}
