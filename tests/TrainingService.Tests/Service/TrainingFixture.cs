using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Flurrty.Contracts.Training;
using Flurrty.Messaging;
using Flurrty.NativeInfrastructure;
using Flurrty.ServiceDefaults.Data;
using Flurrty.ServiceDefaults.Tickets;
using Flurrty.TrainingService.Persistence;
using Flurrty.TrainingService.Trainings;
using MassTransit;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using NSubstitute;

namespace Flurrty.TrainingService.Tests.Service;

[CollectionDefinition(Name)]
public sealed class ServiceTests : ICollectionFixture<TrainingFixture>
{
    public const string Name = "service";
}

/// <summary>PostgreSQL, the Sandbox and the surroundings, once for all tests of the service; TrainingService itself is started by each test.</summary>
public sealed class TrainingFixture : IAsyncLifetime
{
    private const string Token = "r8_test_token";
    private const string Database = "training";

    /// <summary>Another account's at the Sandbox, for a test that leaves behind what others must not meet.</summary>
    internal const string OtherToken = "r8_other_token";

    internal static readonly TimeSpan PostTimeout = TimeSpan.FromSeconds(6);
    internal static readonly TimeSpan UnknownWait = TimeSpan.FromSeconds(1);

    private readonly TicketKeys _keys = new();
    private readonly string _sandboxData = Directory.CreateTempSubdirectory("flurrty-sandbox-").FullName;
    private readonly SemaphoreSlim _sharing = new(1, 1);
    private NativePostgres _postgres = null!;
    private ChildProcess? _shared;
    private IHost _seeder = null!;

    internal ChildProcess Sandbox { get; private set; } = null!;

    internal SandboxAdmin Admin { get; private set; } = null!;

    internal Surroundings Surroundings { get; private set; } = null!;

    internal string AppConnection => _postgres.App(Database);

    internal string DispatcherConnection => _postgres.Dispatcher(Database);

    internal string OwnerConnection => _postgres.Owner(Database);

    internal string SuperuserConnection => _postgres.Superuser(Database);

    public async Task InitializeAsync()
    {
        var sandbox = ChildProcess.StartAsync("Sandbox", new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["Sandbox__DataDirectory"] = _sandboxData,
            ["Sandbox__SecondsPerTraining"] = "1",
            ["Sandbox__Tokens__0"] = Token,
            ["Sandbox__Tokens__1"] = OtherToken,
        });
        Surroundings = await Surroundings.StartAsync(_keys.SignerOf("gateway"));
        _postgres = await NativePostgres.StartAsync(Database);
        await _postgres.MigrateAsync<TrainingContext>(Database, static options => new TrainingContext(options));
        _seeder = BuildSeeder();
        Sandbox = await sandbox;
        Admin = new SandboxAdmin(Sandbox.Address);
    }

    public async Task DisposeAsync()
    {
        _sharing.Dispose();
        if (_shared is not null)
        {
            await _shared.DisposeAsync();
        }

        _seeder.Dispose();
        Admin.Dispose();
        await Sandbox.DisposeAsync();
        await Surroundings.DisposeAsync();
        await _postgres.DisposeAsync();
        Directory.Delete(_sandboxData, recursive: true);
    }

    /// <summary>One running service for the tests that neither kill nor configure it; no fault is left from an earlier test.</summary>
    internal async Task<ChildProcess> SharedServiceAsync()
    {
        await _sharing.WaitAsync();
        try
        {
            await Admin.ClearFaultsAsync();
            _shared ??= await StartServiceAsync();
            Surroundings.WebhookTarget = _shared.Address;
            Surroundings.ChangeWebhook = null;
            return _shared;
        }
        finally
        {
            _sharing.Release();
        }
    }

    /// <summary>Stops the shared service, so that a test's own is the only one.</summary>
    internal async Task StopSharedAsync()
    {
        await Admin.ClearFaultsAsync();
        Surroundings.ChangeWebhook = null;
        if (_shared is { } shared)
        {
            _shared = null;
            await shared.DisposeAsync();
        }
    }

    /// <summary>Starts TrainingService with short times; a test changes what it is about.</summary>
    internal Task<ChildProcess> StartServiceAsync(params (string Name, string Value)[] changes) =>
        ChildProcess.StartAsync("TrainingService", VariablesWith(changes));

    /// <summary>The variables of a service with short times, and a test's changes to them.</summary>
    internal IReadOnlyDictionary<string, string> VariablesWith(params (string Name, string Value)[] changes)
    {
        var variables = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["ConnectionStrings__training"] = AppConnection,
            ["ConnectionStrings__training-dispatcher"] = DispatcherConnection,
            ["ConnectionStrings__messaging"] = "amqp://nobody:nothing@127.0.0.1:1/",
            ["ConnectionStrings__models"] = $"Endpoint={Surroundings.Address};AccessKey=training:service;SecretKey=secret;Region=us-east-1;Bucket=models",
            ["Tickets__Audience"] = "training",
            ["Tickets__SigningKey"] = _keys.Private("training"),
            ["Tickets__Issuers__gateway"] = _keys.Public("gateway"),
            ["Tickets__Issuers__registry"] = _keys.Public("registry"),
            ["services__uploads__http__0"] = Surroundings.Address.ToString(),
            ["Installation__Id"] = SandboxAdmin.Installation.ToString(),
            ["Replicate__Mode"] = "sandbox",
            ["Replicate__BaseUrl"] = new Uri(Sandbox.Address, "/v1").ToString(),
            ["Replicate__ApiToken"] = Token,
            ["Replicate__FirstPause"] = "00:00:00.05",
            ["PublicBaseUrl"] = Surroundings.Address.ToString(),
            ["Driving__AskDatasetEvery"] = "00:00:00.3",
            // Long enough that no process which has to wait for its core is taken for a dead one.
            ["Driving__Lease"] = "00:00:12",
            ["Driving__PostTimeout"] = $"{PostTimeout:c}",
            ["Driving__PostGrace"] = $"{PostTimeout:c}",
            ["Driving__PostLease"] = "00:00:20",
            ["Driving__UnknownWait"] = $"{UnknownWait:c}",
            ["Driving__ReviewPause"] = "00:00:00.3",
            ["Driving__LookSoon"] = "00:00:01",
            ["Driving__FirstBackoff"] = "00:00:00.1",
            ["Driving__MaxBackoff"] = "00:00:00.5",
            ["Logging__LogLevel__MassTransit"] = "None",
            ["Logging__LogLevel__Flurrty.Messaging"] = "None",
        };
        foreach (var (name, value) in changes)
        {
            variables[name.Replace(":", "__", StringComparison.Ordinal)] = value;
        }

        return variables;
    }

    /// <summary>Has the command consumed, as the broker would.</summary>
    internal async Task<TrainIdentity> TrainAsync(Guid? accountId = null, Action<Dictionary<string, object>>? configure = null, Guid? jobId = null)
    {
        var values = new Dictionary<string, object>(StringComparer.Ordinal) { ["steps"] = 100, ["provider"] = "auto" };
        configure?.Invoke(values);
        var command = new TrainIdentity
        {
            AccountId = accountId ?? Guid.CreateVersion7(),
            CausedBy = Guid.NewGuid(),
            JobId = jobId ?? Guid.CreateVersion7(),
            Revision = 1,
            IdentityId = Guid.CreateVersion7(),
            Provider = (string)values["provider"],
            Preset = "standard",
            Steps = (int)values["steps"],
            Rank = 4,
            LearningRate = 0.0004,
            Resolution = "512,768,1024",
        };
        await ConsumeAsync<TrainIdentityConsumer, TrainIdentity>(command);
        return command;
    }

    internal Task CancelAsync(TrainIdentity job) => ConsumeAsync<CancelTrainingConsumer, CancelTraining>(
        new CancelTraining { AccountId = job.AccountId, CausedBy = job.CausedBy, JobId = job.JobId, Revision = 2 });

    internal Task RetryAsync(TrainIdentity job, long revision = 3) => ConsumeAsync<RetryTrainingConsumer, RetryTraining>(
        new RetryTraining { AccountId = job.AccountId, CausedBy = job.CausedBy, JobId = job.JobId, Revision = revision });

    internal async Task ConsumeAsync<TConsumer, TMessage>(TMessage message, Guid? messageId = null)
        where TConsumer : class, IConsumer<TMessage>
        where TMessage : class
    {
        await using var scope = _seeder.Services.CreateAsyncScope();
        var context = Substitute.For<ConsumeContext<TMessage>>();
        context.Message.Returns(message);
        context.MessageId.Returns(messageId ?? Guid.NewGuid());
        await ActivatorUtilities.CreateInstance<TConsumer>(scope.ServiceProvider).Consume(context);
    }

    /// <summary>The messages that a job caused, oldest first.</summary>
    internal async Task<IReadOnlyList<(string Type, JsonElement Body)>> MessagesAsync(Guid jobId)
    {
        await using var source = NpgsqlDataSource.Create(SuperuserConnection);
        await using var command = source.CreateCommand("SELECT type, body FROM outbox_messages WHERE body->>'JobId' = $1 ORDER BY sequence");
        command.Parameters.Add(new NpgsqlParameter { Value = jobId.ToString() });
        await using var reader = await command.ExecuteReaderAsync();
        var messages = new List<(string, JsonElement)>();
        while (await reader.ReadAsync())
        {
            messages.Add((reader.GetString(0).Split(',')[0].Split('.')[^1], JsonDocument.Parse(reader.GetString(1)).RootElement.Clone()));
        }

        return messages;
    }

    internal async Task<JsonElement> JobAsync(Guid jobId)
    {
        await using var source = NpgsqlDataSource.Create(SuperuserConnection);
        await using var command = source.CreateCommand(
            """
            SELECT to_jsonb(j) || jsonb_build_object(
                'attempts', (SELECT coalesce(jsonb_agg(to_jsonb(a) ORDER BY a.number), '[]') FROM attempts a WHERE a.job_id = j.id),
                'stages', (SELECT coalesce(jsonb_agg(s.state ORDER BY s.number), '[]') FROM stages s WHERE s.job_id = j.id))
            FROM jobs j WHERE j.id = $1
            """);
        command.Parameters.Add(new NpgsqlParameter { Value = jobId });
        return await command.ExecuteScalarAsync() is string text
            ? JsonDocument.Parse(text).RootElement.Clone()
            : throw new InvalidOperationException($"There is no job {jobId}.");
    }

    /// <summary>Waits until the job is in one of the states.</summary>
    internal async Task<JsonElement> WaitForAsync(Guid jobId, ChildProcess? service, params string[] states) => (await Deadline.WaitAsync(
        $"the job is {string.Join(" or ", states)}",
        Deadline.Journey,
        async () => (Job: await JobAsync(jobId), service?.Output),
        state => states.Contains(state.Job.GetProperty("state").GetString(), StringComparer.Ordinal))).Job;

    /// <summary>Waits until nobody means to look at the job again: its driver gives it back just after its last change.</summary>
    internal Task WaitForIdleAsync(Guid jobId) => Deadline.WaitAsync(
        "nobody means to look at the job again", () => JobAsync(jobId), static job => job.GetProperty("next_look_at").ValueKind == JsonValueKind.Null);

    internal async Task<HttpResponseMessage> GetAsync(ChildProcess service, string path, Guid accountId, TicketKind kind = TicketKind.User)
    {
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(service.Address, path));
        var signer = _keys.SignerOf(kind == TicketKind.User ? "gateway" : "registry");
        request.Headers.Add(TicketAuthentication.HeaderName, signer.Sign(kind, "training", accountId, "GET", path.Split('?')[0]));
        return await client.SendAsync(request);
    }

    internal async Task<JsonElement> GetJsonAsync(ChildProcess service, string path, Guid accountId, TicketKind kind = TicketKind.User)
    {
        using var response = await GetAsync(service, path, accountId, kind);
        return await response.Content.ReadFromJsonAsync<JsonElement>();
    }

    /// <summary>Delivers a webhook as the gateway would.</summary>
    internal async Task<HttpStatusCode> PostWebhookAsync(ChildProcess service, string path, HttpContent content)
    {
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(service.Address, path)) { Content = content };
        request.Headers.Add(TicketAuthentication.HeaderName, _keys.SignerOf("gateway").Sign(TicketKind.Webhook, "training", Guid.Empty, "POST", path));
        using var response = await client.SendAsync(request);
        return response.StatusCode;
    }

    /// <summary>Begins to deliver a webhook, sends one byte of its body and waits for what is answered.</summary>
    internal async Task<HttpStatusCode> PostSlowWebhookAsync(ChildProcess service, string path)
    {
        var ticket = _keys.SignerOf("gateway").Sign(TicketKind.Webhook, "training", Guid.Empty, "POST", path);
        using var client = new TcpClient();
        await client.ConnectAsync(service.Address.Host, service.Address.Port);
        await using var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"POST {path} HTTP/1.1\r\nHost: localhost\r\n{TicketAuthentication.HeaderName}: {ticket}\r\nContent-Length: 1000\r\n\r\n{{"));
        using var reader = new StreamReader(stream);
        var line = await reader.ReadLineAsync() ?? throw new InvalidOperationException("The connection was closed without an answer.");
        return (HttpStatusCode)int.Parse(line.Split(' ')[1], CultureInfo.InvariantCulture);
    }

    private IHost BuildSeeder()
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["ConnectionStrings:training"] = AppConnection,
            ["ConnectionStrings:training-dispatcher"] = DispatcherConnection,
            ["ConnectionStrings:messaging"] = "amqp://nobody:nothing@127.0.0.1:1/",
        });
        builder.Logging.ClearProviders();
        builder.AddTenantDatabase<TrainingContext>(Database);
        builder.AddFlurrtyMessaging<TrainingContext>(Database);

        // Never started: only its database and outbox are used.
        return builder.Build();
    }
}
