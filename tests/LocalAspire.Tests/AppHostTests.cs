using System.Net.Http.Json;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace Flurrty.LocalAspire.Tests;

/// <summary>What an AppHost's resources look like once they run.</summary>
[Collection(RunningAppHost.Collection)]
public sealed class AppHostTests(RunningAppHost host)
{
    [Fact]
    public async Task Project_Started_HasTheVariablesThatAspireInjects()
    {
        var env = await VariablesAsync("web");
        Assert.Equal("Development", env["ASPNETCORE_ENVIRONMENT"]);
        Assert.Equal("Development", env["DOTNET_ENVIRONMENT"]);
        Assert.Matches("^http://localhost:[0-9]+$", env["ASPNETCORE_URLS"]);
        Assert.Equal("web", env["OTEL_SERVICE_NAME"]);
        Assert.Equal($"service.instance.id={Id("web")["web-".Length..]}", env["OTEL_RESOURCE_ATTRIBUTES"]);
        Assert.Equal("grpc", env["OTEL_EXPORTER_OTLP_PROTOCOL"]);
        Assert.Equal(host.App.GetEndpoint("aspire-dashboard", "otlp-grpc"), new Uri(env["OTEL_EXPORTER_OTLP_ENDPOINT"]));
        Assert.Equal("1000", env["OTEL_BSP_SCHEDULE_DELAY"]);
        Assert.Equal("1000", env["OTEL_BLRP_SCHEDULE_DELAY"]);
        Assert.Equal("1000", env["OTEL_METRIC_EXPORT_INTERVAL"]);
        Assert.Equal("always_on", env["OTEL_TRACES_SAMPLER"]);
        Assert.Equal("simple", env["LOGGING__CONSOLE__FORMATTERNAME"]);
    }

    [Fact]
    public async Task Project_BehindItsProxy_ListensOnAnotherPort()
    {
        var own = new Uri((await VariablesAsync("web"))["ASPNETCORE_URLS"]);
        Assert.NotEqual(host.App.GetEndpoint("web").Port, own.Port);
        using var direct = new HttpClient();
        using var proxied = host.App.CreateHttpClient("web");
        Assert.Equal(await proxied.GetStringAsync("/"), await direct.GetStringAsync(own));
    }

    [Fact]
    public async Task Project_WithReferences_GetsConnectionStringsAndUrls()
    {
        var files = host.App.GetEndpoint("files").ToString().TrimEnd('/');
        var env = await VariablesAsync("web");
        Assert.Equal($"Endpoint={files};Password=s3cret{{{{\"x\"}}}}", env["ConnectionStrings__store"]);
        Assert.Equal(env["ConnectionStrings__store"], await host.App.GetConnectionStringAsync("store"));
        Assert.Equal(files, env["services__files__http__0"]);
        Assert.Equal(files, env["FILES_HTTP"]);

        var front = await VariablesAsync("front");
        Assert.Equal(host.App.GetEndpoint("web").ToString().TrimEnd('/'), front["services__web__http__0"]);
        Assert.Equal(front["services__web__http__0"], front["WEB_HTTP"]);
    }

    [Fact]
    public async Task Secret_OfOneResource_ReachesNoOther()
    {
        Assert.Equal("s3cret{{\"x\"}}", (await VariablesAsync("web"))["PASSWORD"]);
        foreach (var variables in new[] { await VariablesAsync("web"), await VariablesAsync("front") })
        {
            Assert.DoesNotContain(RunningAppHost.Leak, variables.Keys);
        }

        Assert.DoesNotContain((await VariablesAsync("front")).Values, v => v.Contains("s3cret", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Parameter_InTheAppHostsSettings_ReachesTheProject() => Assert.Equal("hello", (await VariablesAsync("web"))["GREETING"]);

    [Fact]
    public async Task Replicas_OfOneProject_AreTwoProcessesBehindOnePort()
    {
        HashSet<string> pids = [];
        await Deadline.UntilAsync(
            async () =>
            {
                // A connection stays with one replica, so each request makes its own.
                using var client = new HttpClient { BaseAddress = host.App.GetEndpoint("front") };
                pids.Add(await client.GetStringAsync("/"));
                return string.Join(", ", pids);
            },
            _ => pids.Count == 2,
            "two process ids");

        var ids = host.App.ResourceIds("front");
        Assert.Equal(2, ids.Count);
        Assert.Equal(pids.Order(), ids.Select(id => host.App.Property(id, "executable.pid")).Order());
    }

    [Fact]
    public void FixedPort_OfAProxiedEndpoint_IsReplacedInTests() => Assert.NotEqual(18901, host.App.GetEndpoint("files").Port);

    [Fact]
    public void Snapshot_OfAProject_TellsItsProcessUrlsAndHealth()
    {
        var snapshot = host.App.Snapshot("web");
        Assert.Equal("Project", snapshot.ResourceType);
        Assert.Equal("Running", snapshot.State!.Text);
        Assert.Equal("success", snapshot.State.Style);
        Assert.NotNull(snapshot.StartTimeStamp);
        Assert.All(snapshot.HealthReports, r => Assert.Equal("Healthy", r.Status.ToString()));
        Assert.Equal("web_http_/health_200_check", Assert.Single(snapshot.HealthReports).Name);
        Assert.Contains(snapshot.Urls, u => u.Name == "http" && !u.IsInactive);
        Assert.Contains(snapshot.Urls, u => u.DisplayProperties.DisplayName == "Variables" && u.Url.EndsWith("/env", StringComparison.Ordinal));
        Assert.Contains(snapshot.Relationships, r => r is { ResourceName: "files", Type: "WaitFor" });
        Assert.Contains(snapshot.Relationships, r => r is { ResourceName: "store", Type: "Reference" });
        Assert.EndsWith("Fixture.Web.csproj", host.App.Property("web", "project.path"), StringComparison.Ordinal);
    }

    [Fact]
    public void Snapshot_OfASecret_MarksItSensitive()
    {
        var password = host.App.Snapshot("password");
        Assert.True(password.Properties.Single(p => p.Name == "Value").IsSensitive);
        Assert.False(host.App.Snapshot("greeting").Properties.Single(p => p.Name == "Value").IsSensitive);
        Assert.True(host.App.Snapshot("store").Properties.Single(p => p.Name == "resource.connectionString").IsSensitive);

        string[] sensitive = [.. host.App.Snapshot("web").EnvironmentVariables.Where(v => v.IsSensitive).Select(v => v.Name)];
        Assert.Equal(["ConnectionStrings__store", "PASSWORD"], sensitive);
    }

    [Fact]
    public async Task ExplicitStart_Resource_StartsWhenAsked()
    {
        Assert.Equal("NotStarted", host.App.Snapshot("later").State!.Text);
        var result = await host.App.ResourceCommands.ExecuteCommandAsync("later", KnownResourceCommands.StartCommand, Deadline.In(30));
        Assert.True(result.Success, result.ErrorMessage);
        await host.App.ResourceNotifications.WaitForResourceAsync("later", cancellationToken: Deadline.In(30));
    }

    [Fact]
    public async Task Logs_OfAProcess_AreStreamedAsItPrints()
    {
        var loggers = host.App.Services.GetRequiredService<ResourceLoggerService>();
        var text = $"line-{Guid.NewGuid():N}";
        using var client = host.App.CreateHttpClient("web");
        var seen = FindAsync();
        await client.GetStringAsync($"/log/{text}");
        var line = await seen.WaitAsync(TimeSpan.FromSeconds(20));
        Assert.Matches("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z .*", line.Content);
        Assert.False(line.IsErrorMessage);

        async Task<LogLine> FindAsync()
        {
            await foreach (var batch in loggers.WatchAsync(Id("web")).WithCancellation(Deadline.In(30)))
            {
                // The request's own log names its path too; the line of the service comes on its own.
                foreach (var found in batch.Where(l => l.Content.EndsWith($"      {text}", StringComparison.Ordinal)))
                {
                    return found;
                }
            }

            throw new InvalidOperationException("The log ended.");
        }
    }

    [Fact]
    public async Task Watch_OfTheResources_TellsEachOnceAtFirst()
    {
        HashSet<string> names = [];
        await foreach (var change in host.App.ResourceNotifications.WatchAsync(Deadline.In(20)))
        {
            if (names.Add(change.Resource.Name) && names.IsSupersetOf(["files", "web", "front", "once", "store", "password"]))
            {
                return;
            }
        }
    }

    private string Id(string name) => Assert.Single(host.App.ResourceIds(name));

    private async Task<Dictionary<string, string>> VariablesAsync(string resource)
    {
        using var client = host.App.CreateHttpClient(resource);
        return (await client.GetFromJsonAsync<Dictionary<string, string>>("/env"))!;
    }
}
