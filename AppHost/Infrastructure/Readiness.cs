using System.Data.Common;
using System.Net;
using System.Text;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Npgsql;
using RabbitMQ.Client;

namespace Flurrty.AppHost.Infrastructure;

/// <summary>Uses a server as its clients will; throws when it does not serve them.</summary>
internal interface IReadiness
{
    Task UseAsync(CancellationToken cancellationToken);
}

/// <summary>
/// Ready when the server did what its clients need. Aspire asks again after one second, then two, and so on: a check that ended at the first failure
/// would see a server that starts several seconds late, and everything that waits for it too. So one check goes on trying for a while.
/// </summary>
internal sealed class ReadinessCheck(IReadiness readiness) : IHealthCheck
{
    /// <summary>How long a check may take in all.</summary>
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan Trying = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                await readiness.UseAsync(cancellationToken);
                return HealthCheckResult.Healthy();
            }
            catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
            {
                if (TimeProvider.System.GetElapsedTime(start) > Trying)
                {
                    // Messages of these clients name hosts and users, never passwords.
                    return HealthCheckResult.Unhealthy(exception.Message);
                }
            }

            await Task.Delay(Pause, cancellationToken);
        }
    }
}

/// <summary>A service's <c>/health</c>.</summary>
internal sealed class ServiceReadiness(EndpointReference endpoint) : IReadiness
{
    // Each request by a connection of its own: the proxy before the service chooses a replica for each connection.
    private static readonly HttpClient Client = new(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.Zero, UseProxy = false }) { Timeout = TimeSpan.FromSeconds(5) };

    public async Task UseAsync(CancellationToken cancellationToken)
    {
        using var answer = await Client.GetAsync(new Uri(new Uri(endpoint.Url), "/health"), cancellationToken);
        if (answer.StatusCode != HttpStatusCode.OK)
        {
            throw new HttpRequestException($"GET /health answered {(int)answer.StatusCode}.");
        }
    }
}

/// <summary>A query in every database, as its app role.</summary>
internal sealed class DatabaseReadiness(IReadOnlyList<string> databases, Func<string, ReferenceExpression> connectionOf) : IReadiness
{
    private readonly ReferenceExpression[] _connections = [.. databases.Select(connectionOf)];

    public async Task UseAsync(CancellationToken cancellationToken)
    {
        foreach (var connection in _connections)
        {
            await using var source = NpgsqlDataSource.Create($"{await connection.GetValueAsync(cancellationToken)};Pooling=false;Timeout=3");
            await using var command = source.CreateCommand("SELECT 1");
            _ = await command.ExecuteScalarAsync(cancellationToken);
        }
    }
}

/// <summary>A confirmed publish through a queue, and its delivery.</summary>
internal sealed class BrokerReadiness(ReferenceExpression connection) : IReadiness
{
    public async Task UseAsync(CancellationToken cancellationToken)
    {
        var factory = new ConnectionFactory { Uri = new Uri((await connection.GetValueAsync(cancellationToken))!), AutomaticRecoveryEnabled = false };
        await using var link = await factory.CreateConnectionAsync("readiness", cancellationToken);
        await using var channel = await link.CreateChannelAsync(new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true), cancellationToken);
        var queue = await channel.QueueDeclareAsync(cancellationToken: cancellationToken);
        await channel.BasicPublishAsync("", queue.QueueName, mandatory: true, "ready"u8.ToArray(), cancellationToken);
        _ = await channel.BasicGetAsync(queue.QueueName, autoAck: true, cancellationToken) ?? throw new InvalidOperationException("The broker confirmed a message and has lost it.");
    }
}

/// <summary>An object put and got.</summary>
internal sealed class StoreReadiness(ReferenceExpression connection) : IReadiness
{
    public async Task UseAsync(CancellationToken cancellationToken)
    {
        var parts = new DbConnectionStringBuilder { ConnectionString = await connection.GetValueAsync(cancellationToken) };
        using var client = new AmazonS3Client(
            new BasicAWSCredentials((string)parts["AccessKey"], (string)parts["SecretKey"]),
            new AmazonS3Config
            {
                ServiceURL = (string)parts["Endpoint"],
                ForcePathStyle = true,
                AuthenticationRegion = (string)parts["Region"],
                MaxErrorRetry = 0,
                Timeout = TimeSpan.FromSeconds(5),
            });
        var bucket = (string)parts["Bucket"];
        try
        {
            _ = await client.PutBucketAsync(new PutBucketRequest { BucketName = bucket }, cancellationToken);
        }
        catch (AmazonS3Exception exception) when (exception.StatusCode == HttpStatusCode.Conflict)
        {
            // Made by an earlier check.
        }

        var sent = Guid.NewGuid().ToString();
        _ = await client.PutObjectAsync(new PutObjectRequest { BucketName = bucket, Key = "readiness", ContentBody = sent }, cancellationToken);
        using var response = await client.GetObjectAsync(bucket, "readiness", cancellationToken);
        using var reader = new StreamReader(response.ResponseStream, Encoding.UTF8);
        if (!string.Equals(await reader.ReadToEndAsync(cancellationToken), sent, StringComparison.Ordinal))
        {
            throw new InvalidOperationException("The store gave back another object than it was given.");
        }
    }
}
