using Amazon.Runtime;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Flurrty.ServiceDefaults.Storage;

/// <summary>Registers an <see cref="ObjectStore"/>.</summary>
public static partial class ObjectStoreExtensions
{
    /// <summary>Registers the store of <c>ConnectionStrings:{name}</c>, with a health check; its bucket is created when it is missing.</summary>
    /// <param name="builder">The host.</param>
    /// <param name="name">Name of the connection string.</param>
    public static TBuilder AddObjectStore<TBuilder>(this TBuilder builder, string name)
        where TBuilder : IHostApplicationBuilder
    {
        var options = ObjectStoreOptions.Parse(name, builder.Configuration.GetConnectionString(name));
        builder.Services.AddSingleton(_ => new ObjectStore(options));
        builder.Services.AddSingleton<BucketState>();
        builder.Services.AddHostedService<BucketCreation>();
        builder.Services.AddHealthChecks().AddCheck<BucketState>($"s3-{name}");
        return builder;
    }

    // Ready once its bucket exists: from then on failures belong to the requests that meet them.
    private sealed class BucketState : IHealthCheck
    {
        public bool Exists { get; set; }

        public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
            Task.FromResult(Exists ? HealthCheckResult.Healthy() : new HealthCheckResult(context.Registration.FailureStatus, "The bucket was not created yet."));
    }

    private sealed partial class BucketCreation(ObjectStore store, BucketState state, ILogger<BucketCreation> logger) : BackgroundService
    {
        private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

        protected override async Task ExecuteAsync(CancellationToken stoppingToken)
        {
            using var timer = new PeriodicTimer(Pause);
            do
            {
                try
                {
                    await store.EnsureBucketAsync(stoppingToken);
                    state.Exists = true;
                    return;
                }
                catch (Exception exception) when (exception is AmazonServiceException or AmazonClientException or HttpRequestException)
                {
                    LogWaiting(logger, store.Bucket, exception.Message);
                }
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }

        [LoggerMessage(1201, LogLevel.Warning, "The bucket {Bucket} cannot be created yet: {Reason}")]
        private static partial void LogWaiting(ILogger logger, string bucket, string reason);
    }
}
