using System.Collections.Concurrent;
using Flurrty.Contracts.Uploads;
using MassTransit;

namespace Flurrty.UploadService.Tests.Fixtures;

/// <summary>Stands where TrainingService does: sends commands and keeps the events that come back.</summary>
internal sealed class Listener : IAsyncDisposable
{
    private readonly ConcurrentQueue<object> _events = new();
    private readonly IBusControl _bus;

    private Listener(string address) => _bus = Bus.Factory.CreateUsingRabbitMq(rabbit =>
    {
        rabbit.Host(new Uri(address));
        rabbit.ReceiveEndpoint("listener", endpoint =>
        {
            endpoint.Handler<DatasetBuilt>(context => Keep(context.Message));
            endpoint.Handler<DatasetRefused>(context => Keep(context.Message));
        });
    });

    public IReadOnlyList<DatasetBuilt> Built(Guid jobId) => [.. _events.OfType<DatasetBuilt>().Where(message => message.JobId == jobId)];

    public IReadOnlyList<DatasetRefused> Refused(Guid jobId) => [.. _events.OfType<DatasetRefused>().Where(message => message.JobId == jobId)];

    public static async Task<Listener> StartAsync(string address)
    {
        var listener = new Listener(address);
        await listener._bus.StartAsync();
        return listener;
    }

    public async Task BuildAsync(Guid accountId, Guid jobId, long revision = 1) =>
        await SendAsync("build-dataset", new BuildDataset { AccountId = accountId, CausedBy = Guid.NewGuid(), JobId = jobId, Revision = revision });

    public async Task ReleaseAsync(Guid accountId, Guid jobId, long revision = 2) =>
        await SendAsync("release-dataset", new ReleaseDataset { AccountId = accountId, CausedBy = Guid.NewGuid(), JobId = jobId, Revision = revision });

    /// <summary>Waits for the nth answer of a job.</summary>
    public async Task<DatasetBuilt> WaitForBuiltAsync(Guid jobId, int nth = 1)
    {
        await Eventually.TrueAsync(() => Task.FromResult((Built(jobId).Count >= nth, string.Join("; ", _events))));
        return Built(jobId)[nth - 1];
    }

    public async Task<DatasetRefused> WaitForRefusedAsync(Guid jobId)
    {
        await Eventually.TrueAsync(() => Task.FromResult((Refused(jobId).Count > 0, string.Join("; ", _events))));
        return Refused(jobId)[0];
    }

    public async ValueTask DisposeAsync() => await _bus.StopAsync();

    private async Task SendAsync<T>(string queue, T message)
        where T : class
    {
        var endpoint = await _bus.GetSendEndpoint(new Uri($"queue:{queue}"));
        await endpoint.Send(message);
    }

    private Task Keep(object message)
    {
        _events.Enqueue(message);
        return Task.CompletedTask;
    }
}
