using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;

namespace Flurrty.Topology.Tests;

/// <summary>The whole AppHost with random ports and data of its own. Disposing it fails when a resource logged an error that the test did not expect.</summary>
internal sealed partial class RunningTopology : IAsyncDisposable
{
    /// <summary>Given before a test's own arguments: whatever the shell says, a test spends nothing unless it asks for it.</summary>
    internal const string InSandbox = "--Providers:Replicate:Mode=sandbox";

    /// <summary>So is this: whatever is installed, a test that does not say containers has none.</summary>
    internal const string Native = "--Infrastructure=native";

    internal static readonly string Repository = FindRepository();

    private readonly ConcurrentQueue<string> _errors = new();
    private readonly ConcurrentDictionary<string, ConcurrentQueue<string>> _logs = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Task> _watches = [];
    private readonly List<Regex> _expectedErrors = [];
    private readonly ConcurrentDictionary<string, ResourceEvent> _states = new(StringComparer.Ordinal);
    private readonly DirectoryInfo _data;
    private bool _keepsData;

    private RunningTopology(DistributedApplication app, DirectoryInfo data)
    {
        App = app;
        _data = data;
    }

    public DistributedApplication App { get; }

    public JsonObject File { get; private set; } = [];

    public HttpClient Client { get; private set; } = new();

    public HttpClient Guest { get; private set; } = new();

    public HttpClient SandboxAdmin { get; private set; } = new();

    public string DataDirectory => _data.FullName;

    public ResourceNotificationService Notifications => App.ResourceNotifications;

    public static string SamplePhotos => Path.Combine(Repository, "samples", "photos");

    public static async Task<RunningTopology> StartAsync(
        Func<IDistributedApplicationTestingBuilder, Task>? configure = null, bool withDashboard = false, Func<RunningTopology, Task>? whileStarting = null, DirectoryInfo? keptData = null, params string[] args)
    {
        var data = keptData ?? Directory.CreateTempSubdirectory("flurrty-topology-");
        // PostgreSQL runs as a user of its own when started by root.
        System.IO.File.SetUnixFileMode(data.FullName, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.AppHost>(
            [$"--Data:Directory={data.FullName}", "--environment=Development", Native, InSandbox, .. args],
            (options, _) => options.DisableDashboard = !withDashboard);
        if (configure is not null)
        {
            await configure(builder);
        }

        var topology = new RunningTopology(await builder.BuildAsync(), data) { _keepsData = keptData is not null };
        try
        {
            topology._watches.Add(topology.WatchStatesAsync());
            // Aspire's start ends when everything that waits for something has it.
            var started = topology.App.StartAsync();
            await (whileStarting?.Invoke(topology) ?? Task.CompletedTask);
            await started;
            await topology.WaitForFileAsync();
            // The search for errors at the end proves nothing if the logs do not arrive.
            await Deadline.WaitAsync(
                "the log of every service that runs arrives",
                Deadline.Step,
                () => Task.FromResult(string.Join(", ", topology.States.Where(static state => state.Resource is ProjectResource && state.Snapshot.State?.Text == KnownResourceStates.Running)
                    .Select(static state => state.Resource.Name).Where(name => topology.LogOf(name).Length == 0))),
                static silent => silent.Length == 0);
            return topology;
        }
        catch
        {
            topology._expectedErrors.Add(Anything());
            await topology.DisposeAsync();
            throw;
        }
    }

    /// <summary>Errors that match are what the test provokes.</summary>
    public void ExpectErrors([StringSyntax(StringSyntaxAttribute.Regex)] string pattern) =>
        _expectedErrors.Add(new Regex(pattern, RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(1)));

    /// <summary>What is known now of every resource.</summary>
    public IEnumerable<ResourceEvent> States => _states.Values;

    public string? StateOf(string resource) => _states.Values.FirstOrDefault(state => state.Resource.Name == resource)?.Snapshot.State?.Text;

    /// <summary>What was logged as an error, expected or not.</summary>
    public IEnumerable<string> Errors => _errors;

    public string LogOf(string resource) => _logs.TryGetValue(resource, out var lines) ? string.Join('\n', lines) : "";

    /// <summary>The pids of a resource's instances that run now; of a project the service itself, which is a child of <c>dotnet run</c>.</summary>
    public IReadOnlyList<int> PidsOf(string resource) =>
    [
        .. _states.Values
            .Where(state => state.Resource.Name == resource && state.Snapshot.State?.Text == KnownResourceStates.Running)
            .SelectMany(static state =>
            {
                var value = state.Snapshot.Properties.FirstOrDefault(static property => property.Name == "executable.pid")?.Value;
                int[] started = value is null ? [] : [Convert.ToInt32(value, CultureInfo.InvariantCulture)];
                return state.Resource is ProjectResource ? started.SelectMany(ProcessTree.Children).Select(static child => child.Pid) : started;
            }),
    ];

    public async Task CommandAsync(string resource, string command)
    {
        var model = App.Services.GetRequiredService<DistributedApplicationModel>();
        var result = await App.ResourceCommands.ExecuteCommandAsync(model.Resources.Single(candidate => candidate.Name == resource), command);
        Assert.True(result.Success, $"{command} of {resource}: {result.Message}");
    }

    public async Task<JsonObject> UploadAsync(HttpClient client, string name = "Sample", int photos = int.MaxValue, bool consent = true)
    {
        var set = await PostAsync(client, "/api/photo-sets", new JsonObject { ["name"] = name });
        using var form = new MultipartFormDataContent();
        foreach (var path in Directory.EnumerateFiles(SamplePhotos).Where(static path => ImageFile().IsMatch(path)).Order(StringComparer.Ordinal).Take(photos))
        {
            form.Add(new StreamContent(System.IO.File.OpenRead(path)), "photos", Path.GetFileName(path));
        }

        using var response = await client.PostAsync(new Uri($"/api/photo-sets/{set["id"]}/photos", UriKind.Relative), form);
        Assert.True(response.IsSuccessStatusCode, $"{response.StatusCode} {await response.Content.ReadAsStringAsync()}");
        if (consent)
        {
            await ConsentAsync(client, set);
        }

        return set;
    }

    public async Task ConsentAsync(HttpClient client, JsonObject set)
    {
        var text = await GetAsync(client, "/api/photo-sets/consent-text");
        _ = await PostAsync(client, $"/api/photo-sets/{set["id"]}/consent", new JsonObject { ["text_version"] = text["text_version"]!.DeepClone() });
    }

    public async Task<string> RequestIdentityAsync(HttpClient client, JsonObject set, string name = "Sample")
    {
        var identity = await PostAsync(client, "/api/identities", new JsonObject { ["name"] = name, ["photo_set_id"] = set["id"]!.DeepClone(), ["preset"] = "economy" });
        return (string)identity["id"]!;
    }

    public static async Task<JsonObject> PostAsync(HttpClient client, string path, JsonObject body)
    {
        using var response = await client.PostAsJsonAsync(path, body);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, $"POST {path}: {(int)response.StatusCode} {text}");
        return JsonNode.Parse(text)!.AsObject();
    }

    public async Task<JsonObject> GetAsync(HttpClient client, string path)
    {
        using var response = await client.GetAsync(new Uri(path, UriKind.RelativeOrAbsolute));
        var text = await response.Content.ReadAsStringAsync();
        return response.IsSuccessStatusCode && JsonNode.Parse(text) is JsonObject json ? json : new JsonObject { ["http"] = (int)response.StatusCode, ["answer"] = text };
    }

    public async Task<JsonObject> WaitForEndAsync(HttpClient client, string identity, TimeSpan limit) =>
        await Deadline.WaitAsync(
            $"identity {identity} ended",
            limit,
            () => GetAsync(client, $"/api/identities/{identity}"),
            static state => (string?)state["status"] is "ready" or "failed" or "canceled");

    /// <summary>The Sandbox's invoice: one line for each billable run.</summary>
    public async Task<JsonArray> InvoiceAsync()
    {
        var invoice = JsonNode.Parse(await SandboxAdmin.GetStringAsync(new Uri("/admin/invoice", UriKind.Relative)))!;
        return invoice as JsonArray ?? invoice["runs"]!.AsArray();
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            await App.DisposeAsync();
            await _stop.CancelAsync();
            await Task.WhenAll(_watches).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        finally
        {
            Client.Dispose();
            Guest.Dispose();
            SandboxAdmin.Dispose();
            _stop.Dispose();
            if (!_keepsData)
            {
                _data.Delete(recursive: true);
            }
        }

        var unexpected = _errors.Where(error => !_expectedErrors.Exists(pattern => pattern.IsMatch(error))).ToArray();
        Assert.True(unexpected.Length == 0, $"Errors were logged:\n{string.Join('\n', unexpected)}");
    }

    private static string FindRepository()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory is not null && !System.IO.File.Exists(Path.Combine(directory.FullName, "Flurrty.sln")))
        {
            directory = directory.Parent;
        }

        return directory?.FullName ?? throw new InvalidOperationException("The tests run outside of the repository.");
    }

    [GeneratedRegex(@"\.(jpe?g|png|webp)$", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture)]
    private static partial Regex ImageFile();

    [GeneratedRegex("")]
    private static partial Regex Anything();

    [GeneratedRegex("^(?<time>\\S+Z )?(?<colour>\\u001b\\[[0-9;]*m)*(?<level>fail|crit)(?<colour>\\u001b\\[[0-9;]*m)*: ", RegexOptions.ExplicitCapture)]
    private static partial Regex ErrorLine();

    private async Task WatchLogAsync(string resource, string instance)
    {
        var lines = _logs.GetOrAdd(resource, static _ => new ConcurrentQueue<string>());
        string? pending = null;
        await foreach (var batch in App.Services.GetRequiredService<ResourceLoggerService>().WatchAsync(instance).WithCancellation(_stop.Token))
        {
            foreach (var line in batch)
            {
                lines.Enqueue(line.Content);
                if (pending is not null)
                {
                    _errors.Enqueue($"{resource}: {pending} {line.Content}");
                    pending = null;
                }

                if (ErrorLine().IsMatch(line.Content))
                {
                    // The simple console formatter writes the category first and the message on the next line.
                    pending = line.Content;
                }
            }
        }
    }

    private async Task WaitForFileAsync()
    {
        var file = Path.Combine(_data.FullName, "topology.json");
        await Deadline.WaitAsync(
            "the topology is healthy",
            Deadline.Journey,
            async () => System.IO.File.Exists(file) ? "" : await StatesAsync(),
            static states => states.Length == 0);
        File = JsonNode.Parse(await System.IO.File.ReadAllTextAsync(file))!.AsObject();
        Client = ClientOf("gateway", "development_key");
        Guest = ClientOf("gateway", "guest_key");
        if (File["sandbox"] is not null)
        {
            SandboxAdmin = ClientOf("sandbox", "sandbox_admin_token");
        }
    }

    private HttpClient ClientOf(string server, string key) => new()
    {
        BaseAddress = new Uri((string)File[server]!),
        DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", (string)File[key]!) },
        Timeout = Deadline.Step,
    };

    private Task<string> StatesAsync() =>
        Task.FromResult(string.Join(", ", _states.Values.Select(static state => $"{state.ResourceId}={state.Snapshot.State?.Text}/{state.Snapshot.HealthStatus}")));

    private async Task WatchStatesAsync()
    {
        var logs = new Dictionary<string, Task>(StringComparer.Ordinal);
        try
        {
            await foreach (var change in Notifications.WatchAsync(_stop.Token))
            {
                _states[change.ResourceId] = change;
                // A log is kept under the name of the instance, which is not known before the start; it ends when the instance is stopped.
                if (!logs.TryGetValue(change.ResourceId, out var watched) || watched.IsCompleted)
                {
                    logs[change.ResourceId] = WatchLogAsync(change.Resource.Name, change.ResourceId);
                }
            }
        }
        finally
        {
            await Task.WhenAll(logs.Values).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>The dashboard's telemetry API.</summary>
    public HttpClient DashboardClient()
    {
        var client = new HttpClient { BaseAddress = new Uri((string)File["dashboard"]!) };
        client.DefaultRequestHeaders.Add("x-api-key", (string?)File["dashboard_api_key"]);
        return client;
    }
}
