using Flurrty.ServiceDefaults.Data;
using Microsoft.Extensions.Logging;

namespace Flurrty.ServiceDefaults.Hosting;

/// <summary>The one form of a loop in the background: it ends with its host and by nothing else.</summary>
public static partial class BackgroundLoop
{
    private const int MaxDoublings = 3;

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(500);

    /// <summary>
    /// Calls <paramref name="turn"/> again and again until the host stops. A turn that fails is told and followed by a pause, which doubles
    /// to four seconds while turns keep failing. What passes by itself is a warning; what nobody expected is an error.
    /// </summary>
    /// <param name="name">What the loop does, for the log, such as <c>delivery of the outbox</c>.</param>
    /// <param name="turn">One turn, with the waiting between two of them at its end.</param>
    /// <param name="isExpected">Whether a failure passes by itself. Those of the database do in any case.</param>
    /// <param name="time">The clock of the pauses.</param>
    /// <param name="logger">The loop's log.</param>
    /// <param name="stoppingToken">The host's.</param>
    public static async Task RunAsync(
        string name, Func<CancellationToken, Task> turn, Func<Exception, bool> isExpected, TimeProvider time, ILogger logger, CancellationToken stoppingToken)
    {
        ArgumentNullException.ThrowIfNull(turn);
        ArgumentNullException.ThrowIfNull(isExpected);
        var failures = 0;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await turn(stoppingToken);
                failures = 0;
                continue;
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception) when (exception is Npgsql.NpgsqlException or TimeoutException || exception.IsTransientDatabaseFailure() || isExpected(exception))
            {
                LogPaused(logger, name, exception.Message);
            }
            catch (Exception exception)
            {
                LogFailed(logger, name, exception);
            }

            var pause = FirstPause * Math.Pow(2, Math.Min(failures++, MaxDoublings)) * (0.75 + (Random.Shared.NextDouble() * 0.5));
            await Task.Delay(pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <inheritdoc cref="RunAsync(string, Func{CancellationToken, Task}, Func{Exception, bool}, TimeProvider, ILogger, CancellationToken)"/>
    public static Task RunAsync(string name, Func<CancellationToken, Task> turn, TimeProvider time, ILogger logger, CancellationToken stoppingToken) =>
        RunAsync(name, turn, static _ => false, time, logger, stoppingToken);

    [LoggerMessage(1301, LogLevel.Warning, "The {Loop} pauses: {Reason}")]
    private static partial void LogPaused(ILogger logger, string loop, string reason);

    [LoggerMessage(1302, LogLevel.Error, "The {Loop} met a fault that nobody expected; it goes on")]
    private static partial void LogFailed(ILogger logger, string loop, Exception exception);
}
