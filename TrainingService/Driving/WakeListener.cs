using System.Security.Cryptography;
using Flurrty.ServiceDefaults.Data;
using Flurrty.ServiceDefaults.Hosting;
using Flurrty.TrainingService.Persistence;
using Npgsql;

namespace Flurrty.TrainingService.Driving;

/// <summary>
/// One connection that stays open. It hears when a job becomes due, and it holds a lock that the server drops the moment
/// this process dies: leases of a process without its lock are free at once, so that nobody waits for them to run out.
/// </summary>
internal sealed class WakeListener(
    [FromKeyedServices(Dispatcher.Key)] NpgsqlDataSource dispatcher,
    TimeProvider time,
    ILogger<WakeListener> logger) : IDisposable
{
    /// <summary>Space of the advisory locks that say which instances live; the claim function knows it too.</summary>
    public const int LockSpace = 0x464C5254;

    private static readonly TimeSpan Keepalive = TimeSpan.FromSeconds(10);

    private readonly SemaphoreSlim _raised = new(0, 1);

    /// <summary>This process among all that drive jobs.</summary>
    public int Instance { get; } = RandomNumberGenerator.GetInt32(1, int.MaxValue);

    /// <summary>Whether the lock is held. Without it a lease would be taken for a dead process's.</summary>
    public bool IsAlive { get; private set; }

    /// <summary>Waits until something became due, or for the given time.</summary>
    public Task WaitAsync(TimeSpan timeout, CancellationToken cancellationToken) => _raised.WaitAsync(timeout, cancellationToken);

    /// <summary>Says that something may be due or that there is room for it.</summary>
    public void Raise()
    {
        try
        {
            _raised.Release();
        }
        catch (SemaphoreFullException)
        {
            // Raised already.
        }
    }

    /// <summary>Listens, and holds the lock, until it is told to end: when nothing of this process is at work any more.</summary>
    public Task RunAsync(CancellationToken cancellationToken) => BackgroundLoop.RunAsync(
        "listening for due jobs", TurnAsync, static problem => problem is IOException or InvalidOperationException, time, logger, cancellationToken);

    public void Dispose() => _raised.Dispose();

    private async Task TurnAsync(CancellationToken cancellationToken)
    {
        try
        {
            await ListenAsync(cancellationToken);
        }
        finally
        {
            IsAlive = false;
        }
    }

    private async Task ListenAsync(CancellationToken cancellationToken)
    {
        await using var connection = await dispatcher.OpenConnectionAsync(cancellationToken);
        connection.Notification += (_, _) => Raise();
        await using (var command = new NpgsqlCommand($"SELECT pg_try_advisory_lock($1, $2)", connection)
        {
            Parameters = { new() { Value = LockSpace }, new() { Value = Instance } },
        })
        {
            // Only a session of this very process can hold it: the server has not noticed yet that it is gone.
            if (await command.ExecuteScalarAsync(cancellationToken) is not true)
            {
                throw new TimeoutException("The lock of the instance is still held by its former connection.");
            }
        }

        await using (var command = new NpgsqlCommand($"LISTEN {TrainingContext.WakeChannel}", connection))
        {
            await command.ExecuteNonQueryAsync(cancellationToken);
        }

        IsAlive = true;
        Raise();
        while (true)
        {
            if (!await connection.WaitAsync(Keepalive, cancellationToken))
            {
                await using var command = new NpgsqlCommand("SELECT 1", connection);
                await command.ExecuteScalarAsync(cancellationToken);
            }
        }
    }
}
