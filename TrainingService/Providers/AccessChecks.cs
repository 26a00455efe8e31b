using System.Collections.Concurrent;
using Flurrty.ServiceDefaults.Hosting;
using Flurrty.TrainingService.Jobs;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Providers;

/// <summary>
/// Asks every provider, in the background, whose credential it was given: at start, again with back-off until it is known, and now and then after.
/// What it finds is told once per change, shown at <c>/api/providers</c>, and holds trainings with a refused credential before anything is uploaded.
/// </summary>
internal sealed partial class AccessChecks(
    IServiceProvider services,
    IOptions<AccessChecksOptions> options,
    TimeProvider time,
    ILogger<AccessChecks> logger) : BackgroundService, IHealthCheck
{
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _first = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, ProviderAccess> _known = new(StringComparer.Ordinal);

    /// <summary>What is known of a provider now.</summary>
    public ProviderAccess Of(string provider) => _known.GetValueOrDefault(provider, ProviderAccess.Unchecked);

    /// <summary>What is known of a provider, after its first check, which has a timeout.</summary>
    public async Task<ProviderAccess> AfterFirstCheckAsync(string provider, CancellationToken cancellationToken)
    {
        await First(provider).Task.WaitAsync(cancellationToken);
        return Of(provider);
    }

    /// <summary>Degraded while a provider does not let us in: this service serves its requests all the same.</summary>
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var closed = _known.Where(static pair => pair.Value.State != AccessState.Accepted).OrderBy(static pair => pair.Key, StringComparer.Ordinal).ToArray();
        return Task.FromResult(closed.Length == 0
            ? HealthCheckResult.Healthy()
            : HealthCheckResult.Degraded(string.Join(' ', closed.Select(static pair => $"{pair.Key}: {pair.Value.Detail}"))));
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(services.GetServices<ITrainingProvider>().Select(provider => WatchAsync(provider, stoppingToken)));

    private TaskCompletionSource First(string provider) =>
        _first.GetOrAdd(provider, static _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));

    private Task WatchAsync(ITrainingProvider provider, CancellationToken stoppingToken)
    {
        var times = options.Value;
        var pause = times.FirstPause;
        return BackgroundLoop.RunAsync("check of a provider's credential", TurnAsync, time, logger, stoppingToken);

        async Task TurnAsync(CancellationToken token)
        {
            if (await CheckAsync(provider, times.Timeout, token) is not { } access)
            {
                return;
            }

            Note(provider, access);
            First(provider.Name).TrySetResult();
            var wait = access.State switch
            {
                AccessState.Accepted => times.Recheck,
                AccessState.Refused => times.MaxPause,
                _ => pause,
            };
            pause = access.State == AccessState.Unreachable && pause * 2 < times.MaxPause ? pause * 2
                : access.State == AccessState.Unreachable ? times.MaxPause
                : times.FirstPause;
            await Task.Delay(wait * (0.75 + (Random.Shared.NextDouble() * 0.5)), time, token);
        }
    }

    private async Task<ProviderAccess?> CheckAsync(ITrainingProvider provider, TimeSpan timeout, CancellationToken stoppingToken)
    {
        using var late = new CancellationTokenSource(timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, stoppingToken);
        try
        {
            return new ProviderAccess(AccessState.Accepted, await provider.CheckAccessAsync(either.Token));
        }
        catch (ProviderException refused) when (refused.Category == ErrorCategory.Authentication)
        {
            return new ProviderAccess(AccessState.Refused, refused.Message);
        }
        catch (ProviderException problem)
        {
            return new ProviderAccess(AccessState.Unreachable, problem.Message);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            return null;
        }
        catch (OperationCanceledException)
        {
            return new ProviderAccess(AccessState.Unreachable, $"It did not answer within {timeout.TotalSeconds:0.#} s.");
        }
        catch (Exception unexpected)
        {
            // The check is a convenience: no fault of it may end the service.
            Log.CheckFailed(logger, provider.Name, unexpected);
            return new ProviderAccess(AccessState.Unreachable, "The check itself failed.");
        }
    }

    private void Note(ITrainingProvider provider, ProviderAccess access)
    {
        var before = Of(provider.Name);
        _known[provider.Name] = access;
        if (before.State == access.State)
        {
            return;
        }

        var mode = provider.Mode.ToText();
        switch (access.State)
        {
            case AccessState.Accepted:
                Log.Accepted(logger, provider.Name, mode, access.Detail);
                break;
            case AccessState.Refused:
                Log.Refused(logger, provider.Name, mode, access.Detail);
                break;
            default:
                Log.Unreachable(logger, provider.Name, mode, access.Detail);
                break;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 4114, Level = LogLevel.Error, Message = "The check of {Provider}'s credential failed unexpectedly")]
        public static partial void CheckFailed(ILogger logger, string provider, Exception exception);

        [LoggerMessage(EventId = 4111, Level = LogLevel.Information, Message = "{Provider} ({Mode}) accepts the credential; it is the account {Account}'s")]
        public static partial void Accepted(ILogger logger, string provider, string mode, string account);

        [LoggerMessage(EventId = 4112, Level = LogLevel.Error,
            Message = "{Provider} ({Mode}) refuses the credential: {Reason} Trainings wait. "
                + "Give a valid token and restart this service; one that is made valid at the provider is noticed by itself")]
        public static partial void Refused(ILogger logger, string provider, string mode, string reason);

        [LoggerMessage(EventId = 4113, Level = LogLevel.Warning,
            Message = "{Provider} ({Mode}) cannot be reached: {Reason} Whether the credential is valid is not known; it is tried again. "
                + "Check the network, the proxy and the provider's status page")]
        public static partial void Unreachable(ILogger logger, string provider, string mode, string reason);
    }
}
