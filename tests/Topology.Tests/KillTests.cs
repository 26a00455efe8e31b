using System.Diagnostics;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Flurrty.Topology.Tests;

/// <summary>
/// TrainingService killed from outside at each point of the path, then started again: the identity becomes ready and one run was billed.
/// The points are reached by the Sandbox holding a request, or by a TCP proxy before PostgreSQL and RabbitMQ.
/// </summary>
public sealed partial class KillTests(KillTests.Shared shared) : IClassFixture<KillTests.Shared>
{
    private const string Create = "/v1/models/*/*/versions/*/trainings";

    /// <summary>Where to kill: the Sandbox by method and path, the database and the broker by a text in what the service sends.</summary>
    private static readonly KillPoint[] Points =
    [
        new("file upload, before it counts", Where.Sandbox, "POST", "/v1/files", IsAfter: false),
        new("file upload, after it counts", Where.Sandbox, "POST", "/v1/files", IsAfter: true),
        new("create, before it counts", Where.Sandbox, "POST", Create, IsAfter: false),
        new("create, after it counts", Where.Sandbox, "POST", Create, IsAfter: true),
        new("look at the run", Where.Sandbox, "GET", "/v1/trainings/*", IsAfter: false),
        new("download of the model", Where.Sandbox, "GET", "/delivery/**", IsAfter: false),
        new("deletion of the input, before", Where.Sandbox, "DELETE", "/v1/files/*", IsAfter: false),
        new("deletion of the input, after", Where.Sandbox, "DELETE", "/v1/files/*", IsAfter: true),
        new("job row, before", Where.Database, "", "INSERT INTO jobs", IsAfter: false),
        new("job row, after", Where.Database, "", "INSERT INTO jobs", IsAfter: true),
        new("intent, before", Where.Database, "", "INSERT INTO attempts", IsAfter: false),
        new("intent, after", Where.Database, "", "INSERT INTO attempts", IsAfter: true),
        new("run id, before", Where.Database, "", "run_id = $", IsAfter: false),
        new("run id, after", Where.Database, "", "run_id = $", IsAfter: true),
        new("ask for the dataset, before", Where.Broker, "", "BuildDataset", IsAfter: false),
        new("ask for the dataset, after", Where.Broker, "", "BuildDataset", IsAfter: true),
        new("report of the success, before", Where.Broker, "", "TrainingSucceeded", IsAfter: false),
        new("report of the success, after", Where.Broker, "", "TrainingSucceeded", IsAfter: true),
    ];

    public enum Where
    {
        Sandbox,
        Database,
        Broker,
    }

    public static TheoryData<string> Sample()
    {
        var all = Points.Select(static point => point.Name).ToArray();
        if (Environment.GetEnvironmentVariable("FLURRTY_TESTS") == "full")
        {
            return new TheoryData<string>(all);
        }

        // The two at the request that costs money always; of the others a sample by seed.
        var random = new Random(int.TryParse(Environment.GetEnvironmentVariable("FLURRTY_SEED"), out var seed) ? seed : 1);
        string[] always = ["create, before it counts", "create, after it counts"];
        return new TheoryData<string>([.. always, .. all.Except(always).OrderBy(_ => random.Next()).Take(3)]);
    }

    [Theory]
    [MemberData(nameof(Sample))]
    public async Task TrainingService_KilledAt_EndsReadyWithOneRun(string point)
    {
        var topology = shared.Topology;
        var (_, where, method, text, isAfter) = Points.Single(candidate => candidate.Name == point);
        var runsBefore = (await topology.InvoiceAsync()).Count;
        await topology.Notifications.WaitForResourceHealthyAsync("training").WaitAsync(Deadline.Journey);
        var set = await topology.UploadAsync(topology.Client, point, photos: 3);

        Func<Task> reached;
        Func<Task> release;
        if (where == Where.Sandbox)
        {
            var fault = await RunningTopology.PostAsync(topology.SandboxAdmin, "/admin/faults", new JsonObject
            {
                ["method"] = method,
                ["path"] = text,
                ["action"] = new JsonObject { ["kind"] = "hold", ["when"] = isAfter ? "after" : "before" },
            });
            reached = () => Deadline.WaitAsync(
                $"the Sandbox holds {method} {text}",
                Deadline.Journey,
                () => topology.GetAsync(topology.SandboxAdmin, $"/admin/faults/{fault["id"]}"),
                static state => state["holding"] is JsonValue holding && (holding.TryGetValue<bool>(out var flag) ? flag : (int)holding > 0));
            release = async () =>
            {
                using var response = await topology.SandboxAdmin.DeleteAsync(new Uri($"/admin/faults/{fault["id"]}", UriKind.Relative));
            };
        }
        else
        {
            var choke = where == Where.Database ? shared.Database : shared.Broker;
            var parked = choke.ParkAsync(text, isAfter);
            reached = () => parked.WaitAsync(Deadline.Journey);
            release = () =>
            {
                choke.Drop();
                return Task.CompletedTask;
            };
        }

        var id = await topology.RequestIdentityAsync(topology.Client, set, "Killed");
        await reached();
        var pid = Assert.Single(topology.PidsOf("training"));
        using (var training = Process.GetProcessById(pid))
        {
            training.Kill();
            await training.WaitForExitAsync().WaitAsync(Deadline.Journey);
        }

        await release();
        await Deadline.WaitAsync("training is seen to have ended", Deadline.Journey, () => Task.FromResult(topology.PidsOf("training").Count == 0));
        await topology.CommandAsync("training", "resource-start");

        var identity = await topology.WaitForEndAsync(topology.Client, id, Deadline.Journey);
        Assert.True((string?)identity["status"] == "ready", $"{point}: {identity.ToJsonString()}");
        var invoice = await topology.InvoiceAsync();
        Assert.True(invoice.Count == runsBefore + 1, $"{point}: {invoice.ToJsonString()}");
    }

    private sealed record KillPoint(string Name, Where Where, string Method, string Text, bool IsAfter);

    public sealed partial class Shared : IAsyncLifetime
    {
        internal RunningTopology Topology { get; private set; } = null!;

        internal Chokepoint Database { get; private set; } = null!;

        internal Chokepoint Broker { get; private set; } = null!;

        public async Task InitializeAsync() => Topology = await RunningTopology.StartAsync(
            builder =>
            {
                var training = builder.CreateResourceBuilder((ProjectResource)builder.Resources.Single(static resource => resource.Name == "training"));

                // Times that an operator may set: the rules stay, the waits are shorter than a person's patience with a test.
                training
                    .WithEnvironment("Driving__PostTimeout", "00:00:06")
                    .WithEnvironment("Driving__PostLease", "00:00:15")
                    .WithEnvironment("Driving__UnknownWait", "00:00:06")
                    .WithEnvironment("Driving__Lease", "00:00:05");
                training.WithEnvironment(async context =>
                {
                    Database ??= new Chokepoint(PortOf(await TextAsync(context, "ConnectionStrings__training"), DatabasePort()));
                    Broker ??= new Chokepoint(PortOf(await TextAsync(context, "ConnectionStrings__messaging"), BrokerPort()));
                    await RedirectAsync(context, "ConnectionStrings__training", DatabasePort(), $"Port={Database.Port}");
                    await RedirectAsync(context, "ConnectionStrings__training-dispatcher", DatabasePort(), $"Port={Database.Port}");
                    await RedirectAsync(context, "ConnectionStrings__messaging", BrokerPort(), $"@127.0.0.1:{Broker.Port}");
                });
                return Task.CompletedTask;
            });

        public async Task DisposeAsync()
        {
            // A killed service leaves requests unanswered, and its peers say so.
            Topology.ExpectErrors("");
            await Topology.DisposeAsync();
            await Database.DisposeAsync();
            await Broker.DisposeAsync();
        }

        private static async Task<string> TextAsync(EnvironmentCallbackContext context, string name) => context.EnvironmentVariables[name] switch
        {
            IValueProvider provider => await provider.GetValueAsync(context.CancellationToken) ?? "",
            var other => other.ToString() ?? "",
        };

        private static async Task RedirectAsync(EnvironmentCallbackContext context, string name, Regex port, string to) =>
            context.EnvironmentVariables[name] = port.Replace(await TextAsync(context, name), to);

        private static int PortOf(string text, Regex port) => int.Parse(port.Match(text).Groups["port"].Value, System.Globalization.CultureInfo.InvariantCulture);

        [GeneratedRegex(@"Port=(?<port>\d+)", RegexOptions.ExplicitCapture)]
        private static partial Regex DatabasePort();

        [GeneratedRegex(@"@127\.0\.0\.1:(?<port>\d+)", RegexOptions.ExplicitCapture)]
        private static partial Regex BrokerPort();
    }
}
