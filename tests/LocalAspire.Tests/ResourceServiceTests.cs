using Aspire.Hosting.Dashboard;
using Google.Protobuf.WellKnownTypes;
using Microsoft.Extensions.DependencyInjection;
using Wire = Aspire.Hosting.Dashboard.Wire;

namespace Flurrty.LocalAspire.Tests;

/// <summary>What the dashboard is told, over its own protocol.</summary>
[Collection(RunningAppHost.Collection)]
public sealed class ResourceServiceTests(RunningAppHost host) : IDisposable
{
    private readonly ResourceServiceHost _service = host.App.Services.GetRequiredService<ResourceServiceHost>();
    private readonly List<ResourceServiceClient> _clients = [];

    public void Dispose() => _clients.ForEach(c => c.Dispose());

    [Theory]
    [InlineData(null)]
    [InlineData("not-the-key")]
    public async Task Call_WithoutTheKey_IsRefused(string? key)
    {
        var status = await Client(key).CallAsync(
            "WatchResources", new Wire.WatchResourcesRequest(), Wire.WatchResourcesUpdate.Parser, _ => throw new InvalidOperationException("It answered."));
        Assert.Equal("16", status);
    }

    [Fact]
    public async Task ApplicationInformation_Asked_GivesTheNameWithoutItsSuffix()
    {
        var answer = await Client().CallAsync("GetApplicationInformation", new Wire.ApplicationInformationRequest(), Wire.ApplicationInformationResponse.Parser);
        Assert.Equal("Flurrty.Fixture", answer.ApplicationName);
    }

    [Fact]
    public async Task Resources_Watched_AreAllThereWithTheirFacts()
    {
        var resources = await ResourcesAsync();
        Assert.Equal(["files", "front", "front", "greeting", "later", "once", "password", "store", "web"], resources.Select(r => r.DisplayName).Order());

        var web = resources.Single(r => r.DisplayName == "web");
        Assert.Equal("Project", web.ResourceType);
        Assert.Equal("Running", web.State);
        Assert.NotNull(web.StartedAt);
        Assert.Equal(Wire.HealthStatus.Healthy, Assert.Single(web.HealthReports).Status);
        Assert.Contains(web.Urls, u => u.EndpointName == "http" && u.FullUrl.StartsWith("http://localhost:", StringComparison.Ordinal));
        Assert.Contains(web.Relationships, r => r is { ResourceName: "files", Type: "WaitFor" });
        Assert.Equal(Wire.ResourceCommandState.Enabled, web.Commands.Single(c => c.Name == "resource-restart").State);
        Assert.True(web.Properties.Single(p => p.Name == "executable.args").IsSensitive);
        Assert.InRange(web.Properties.Single(p => p.Name == "executable.pid").Value.NumberValue, 2, 1e9);
        Assert.Equal("0", resources.Single(r => r.DisplayName == "once").Properties.Single(p => p.Name == "resource.exitCode").Value.StringValue);
    }

    [Fact]
    public async Task Secrets_OfTheApplication_LeaveItOnlyMarkedSensitive()
    {
        const string secret = "s3cret{{\"x\"}}";
        var resources = await ResourcesAsync();
        var password = resources.Single(r => r.DisplayName == "password").Properties.Single(p => p.Name == "Value");
        Assert.Equal(secret, password.Value.StringValue);
        Assert.True(password.IsSensitive);

        var open = resources.SelectMany(r => r.Properties).Where(p => !p.IsSensitive).Select(p => p.Value).Select(Text)
            .Concat(resources.SelectMany(r => r.Environment).Select(v => v.Value))
            .Concat(resources.SelectMany(r => r.Urls).Select(u => u.FullUrl))
            .ToArray();
        Assert.True(open.Length > 100, $"only {open.Length} values were looked at");
        Assert.DoesNotContain(open, v => v.Contains("s3cret", StringComparison.Ordinal));

        var variable = resources.Single(r => r.DisplayName == "web").Environment.Single(v => v.Name == "PASSWORD");
        Assert.Equal("(secret: not sent to the dashboard)", variable.Value);
        Assert.True(variable.IsFromSpec);

        static string Text(Value value) => value.ToString();
    }

    [Fact]
    public async Task Change_OfAResource_IsTold()
    {
        var seen = false;
        await Client().CallAsync("WatchResources", new Wire.WatchResourcesRequest(), Wire.WatchResourcesUpdate.Parser, update =>
        {
            if (update.KindCase == Wire.WatchResourcesUpdate.KindOneofCase.InitialData)
            {
                var store = host.App.Services.GetRequiredService<Aspire.Hosting.ApplicationModel.DistributedApplicationModel>().Resources.Single(r => r.Name == "store");
                _ = host.App.ResourceNotifications.PublishUpdateAsync(store, s => s with { IconName = "Marked" });
            }
            else
            {
                seen = update.Changes.Value.Any(c => c.Upsert is { DisplayName: "store", IconName: "Marked" });
            }

            return !seen;
        });
        Assert.True(seen);
    }

    [Fact]
    public async Task ConsoleLogs_NotFollowed_GiveTheLinesAndEnd()
    {
        var update = await Client().CallAsync(
            "WatchResourceConsoleLogs",
            new Wire.WatchResourceConsoleLogsRequest { ResourceName = host.App.ResourceIds("once").Single(), SuppressFollow = true },
            Wire.WatchResourceConsoleLogsUpdate.Parser);
        Assert.Contains(update.LogLines, l => l.Text.EndsWith(" done", StringComparison.Ordinal) && !l.IsStdErr && l.LineNumber > 0);
    }

    [Fact]
    public async Task Command_OfTheDashboard_RestartsAResource()
    {
        var id = host.App.ResourceIds("front")[0];
        var before = host.App.Property(id, "executable.pid");
        var response = await Client().CallAsync(
            "ExecuteResourceCommand",
            new Wire.ResourceCommandRequest { ResourceName = id, ResourceType = "Project", CommandName = "resource-restart" },
            Wire.ResourceCommandResponse.Parser);
        Assert.Equal(Wire.ResourceCommandResponseKind.Succeeded, response.Kind);
        await Deadline.UntilAsync(
            () => Task.FromResult(host.App.Property(id, "executable.pid")),
            pid => !string.IsNullOrEmpty(pid) && pid != before,
            $"a process id other than {before}");

        var unknown = await Client().CallAsync(
            "ExecuteResourceCommand",
            new Wire.ResourceCommandRequest { ResourceName = id, ResourceType = "Project", CommandName = "no-such-command" },
            Wire.ResourceCommandResponse.Parser);
        Assert.Equal(Wire.ResourceCommandResponseKind.Failed, unknown.Kind);
    }

    [Fact]
    public async Task Method_ThatIsUnknown_IsUnimplemented() => Assert.Equal(
        "12",
        await Client().CallAsync("UploadFile", new Wire.WatchResourcesRequest(), Wire.WatchResourcesUpdate.Parser, _ => true));

    private async Task<List<Wire.Resource>> ResourcesAsync()
    {
        List<Wire.Resource> resources = [];
        await Client().CallAsync("WatchResources", new Wire.WatchResourcesRequest(), Wire.WatchResourcesUpdate.Parser, update =>
        {
            resources.AddRange(update.InitialData.Resources);
            return false;
        });
        return resources;
    }

    private ResourceServiceClient Client() => Client(_service.ApiKey);

    private ResourceServiceClient Client(string? key)
    {
        var client = new ResourceServiceClient(_service.Address, key);
        _clients.Add(client);
        return client;
    }
}
