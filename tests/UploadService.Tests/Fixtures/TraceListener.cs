using System.Collections.Concurrent;
using System.Diagnostics;

namespace Flurrty.UploadService.Tests.Fixtures;

/// <summary>Keeps the spans that the service itself makes, with all their tags.</summary>
internal sealed class TraceListener : IDisposable
{
    private readonly ConcurrentQueue<string> _spans = new();
    private readonly ActivityListener _listener;

    public TraceListener()
    {
        _listener = new ActivityListener
        {
            ShouldListenTo = static source => source.Name.StartsWith("Flurrty", StringComparison.Ordinal) || string.Equals(source.Name, "Microsoft.AspNetCore", StringComparison.Ordinal),
            Sample = static (ref _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = activity => _spans.Enqueue($"{activity.DisplayName} {string.Join(' ', activity.TagObjects)}"),
        };
        ActivitySource.AddActivityListener(_listener);
    }

    public IReadOnlyCollection<string> Spans => _spans;

    public void Dispose() => _listener.Dispose();
}
