using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Flurrty.Topology.Tests;

/// <summary>
/// A TCP proxy before a server. Told a text, it parks the first chunk from the client that contains it:
/// before the server saw it, or after the server answered and before the client sees the answer.
/// </summary>
internal sealed class Chokepoint : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly int _target;
    private readonly Task _accepting;
    private readonly List<Task> _links = [];

    private volatile Trap? _trap;

    public Chokepoint(int target)
    {
        _target = target;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Sets the trap; the task ends when something is parked.</summary>
    public Task ParkAsync(string text, bool afterTheServer)
    {
        var trap = new Trap(Encoding.UTF8.GetBytes(text), afterTheServer);
        _trap = trap;
        return trap.Sprung.Task;
    }

    /// <summary>Drops what is parked with its connection, and lets everything else pass.</summary>
    public void Drop()
    {
        var trap = _trap;
        _trap = null;
        trap?.Dropped.TrySetResult();
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        Drop();
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (var link in _links.ToArray())
        {
            await link.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        _stop.Dispose();
        _listener.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            var client = await _listener.AcceptTcpClientAsync(_stop.Token);
            lock (_links)
            {
                _links.Add(LinkAsync(client));
            }
        }
    }

    private async Task LinkAsync(TcpClient client)
    {
        using (client)
        using (var server = new TcpClient())
        {
            client.NoDelay = server.NoDelay = true;
            await server.ConnectAsync(IPAddress.Loopback, _target, _stop.Token);
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
            var muted = new StrongBox();
            var up = UpAsync(client.GetStream(), server.GetStream(), muted, ended.Token);
            var down = DownAsync(server.GetStream(), client.GetStream(), muted, ended.Token);
            await Task.WhenAny(up, down);
            await ended.CancelAsync();
            await up.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await down.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task UpAsync(NetworkStream from, NetworkStream to, StrongBox muted, CancellationToken cancellationToken)
    {
        var buffer = new byte[64 * 1024];
        while (await from.ReadAsync(buffer, cancellationToken) is var count && count > 0)
        {
            if (_trap is { } trap && !trap.Sprung.Task.IsCompleted && buffer.AsSpan(0, count).IndexOf(trap.Text) >= 0)
            {
                if (trap.AfterTheServer)
                {
                    muted.Value = true;
                    await to.WriteAsync(buffer.AsMemory(0, count), cancellationToken);
                    await muted.Answered.Task.WaitAsync(cancellationToken);
                }

                trap.Sprung.TrySetResult();
                await trap.Dropped.Task.WaitAsync(cancellationToken);
                return;
            }

            await to.WriteAsync(buffer.AsMemory(0, count), cancellationToken);
        }
    }

    private static async Task DownAsync(NetworkStream from, NetworkStream to, StrongBox muted, CancellationToken cancellationToken)
    {
        var buffer = new byte[64 * 1024];
        while (await from.ReadAsync(buffer, cancellationToken) is var count && count > 0)
        {
            if (muted.Value)
            {
                muted.Answered.TrySetResult();
                continue;
            }

            await to.WriteAsync(buffer.AsMemory(0, count), cancellationToken);
        }
    }

    private sealed record Trap(byte[] Text, bool AfterTheServer)
    {
        public TaskCompletionSource Sprung { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource Dropped { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    private sealed class StrongBox
    {
        public volatile bool Value;

        public TaskCompletionSource Answered { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
