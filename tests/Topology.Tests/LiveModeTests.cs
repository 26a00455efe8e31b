using System.Text.Json.Nodes;
using Flurrty.AppHost;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Flurrty.Topology.Tests;

/// <summary>Going live is a mode that somebody says. The mode decides the address; a token decides nothing and reaches one service.</summary>
public sealed class LiveModeTests : IDisposable
{
    private const string Token = "r8_only_training_may_see_this";
    private static readonly string[] Services = ["uploads", "training", "registry", "gateway", "migrations", "postgres", "rabbitmq", "s3"];
    private readonly DirectoryInfo _data = Directory.CreateTempSubdirectory("flurrty-model-");

    public void Dispose() => _data.Delete(recursive: true);

    [Fact]
    public async Task Live_OfReplicate_HasTheRealAddressAndNoSandbox()
    {
        await using var builder = await CreateAsync("--Providers:Replicate:Mode=live", $"--Parameters:replicate-token={Token}");

        Assert.DoesNotContain(builder.Resources, static resource => resource.Name == "sandbox");
        var training = await EnvironmentAsync(builder, "training");
        Assert.Equal("live", training["Replicate__Mode"]);
        Assert.Equal("https://api.replicate.com/v1", training["Replicate__BaseUrl"]);
        Assert.Equal("{replicate-token.value}", training["Replicate__ApiToken"]);
        Assert.Equal("{public-base-url.value}", training["PublicBaseUrl"]);
        var token = Assert.Single(builder.Resources.OfType<ParameterResource>(), static parameter => parameter.Name == "replicate-token");
        Assert.True(token.Secret);
        Assert.Contains("https://replicate.com/account/api-tokens", token.Description, StringComparison.Ordinal);
        Assert.Equal(Token, await token.GetValueAsync(CancellationToken.None));
        var service = Assert.Single(builder.Resources.OfType<ExternalServiceResource>());
        Assert.Equal("https://api.replicate.com/", service.Uri?.AbsoluteUri);
        Assert.NotEmpty(service.Annotations.OfType<HealthCheckAnnotation>());
        foreach (var other in builder.Resources.OfType<IResourceWithEnvironment>().Where(static resource => resource.Name != "training"))
        {
            Assert.DoesNotContain("replicate-token", string.Join('\n', (await EnvironmentAsync(builder, other.Name)).Values), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Live_WithTheTokenInTheShell_TakesItFromThere()
    {
        await using var builder = await CreateAsync("--Providers:Replicate:Mode=live", $"--REPLICATE_API_TOKEN={Token}");

        Assert.Equal(Token, await builder.Resources.OfType<ParameterResource>().Single(static parameter => parameter.Name == "replicate-token").GetValueAsync(CancellationToken.None));
    }

    [Theory]
    [InlineData("--REPLICATE_API_TOKEN=" + Token)]
    [InlineData("--Parameters:replicate-token=" + Token)]
    public async Task Token_WithoutAMode_ChangesNothing(string given)
    {
        await using var builder = await CreateAsync(given);

        Assert.Contains(builder.Resources, static resource => resource.Name == "sandbox");
        Assert.Empty(builder.Resources.OfType<ExternalServiceResource>());
        var training = await EnvironmentAsync(builder, "training");
        Assert.Equal("sandbox", training["Replicate__Mode"]);
        Assert.Equal("{sandbox.bindings.http.url}/v1", training["Replicate__BaseUrl"]);
        foreach (var parameter in builder.Resources.OfType<ParameterResource>())
        {
            Assert.NotEqual(Token, await parameter.GetValueAsync(CancellationToken.None));
        }
    }

    [Fact]
    public async Task PublicUrls_ThatAreSet_GoToTheServices()
    {
        await using var builder = await CreateAsync("--Parameters:public-base-url=https://flurrty.example", "--Parameters:store-public-url=https://photos.example");

        Assert.Equal("{public-base-url.value}", (await EnvironmentAsync(builder, "training"))["PublicBaseUrl"]);
        Assert.EndsWith(";PublicUrl={store-public-url.value}", (await EnvironmentAsync(builder, "uploads"))["ConnectionStrings__photos"], StringComparison.Ordinal);
        Assert.Equal("https://photos.example", await builder.Resources.OfType<ParameterResource>().Single(static parameter => parameter.Name == "store-public-url").GetValueAsync(CancellationToken.None));
    }

    [Fact]
    public async Task TestTopology_WhenTheShellSaysLive_IsTheSandboxAllTheSame()
    {
        const string Variable = "Providers__Replicate__Mode";
        Environment.SetEnvironmentVariable(Variable, "live");
        try
        {
            await using (var live = await CreateAsync($"--Parameters:replicate-token={Token}"))
            {
                Assert.DoesNotContain(live.Resources, static resource => resource.Name == "sandbox");
            }

            Environment.SetEnvironmentVariable(Variable, "live");
            await using var forced = await CreateAsync(RunningTopology.InSandbox);
            Assert.Contains(forced.Resources, static resource => resource.Name == "sandbox");
        }
        finally
        {
            Environment.SetEnvironmentVariable(Variable, null);
        }
    }

    [Fact]
    public async Task Live_WithAProviderThatCannotBeReached_BecomesHealthyAndSaysSo()
    {
        // Nobody listens there, and nobody outside is asked.
        await using var topology = await RunningTopology.StartAsync(
            args: ["--Providers:Replicate:Mode=live", "--Providers:Replicate:BaseUrl=https://127.0.0.1:1/v1", $"--Parameters:replicate-token={Token}"]);

        Assert.Null(topology.File["sandbox"]);
        Assert.DoesNotContain(topology.App.Services.GetRequiredService<DistributedApplicationModel>().Resources, static resource => resource.Name == "sandbox");
        var provider = await Deadline.WaitAsync(
            "the provider is known to be unreachable", Deadline.Journey, async () => (await topology.GetAsync(topology.Client, "/api/providers"))["providers"]?[0],
            static provider => (string?)provider?["reason"]?["code"] == "provider_unreachable");
        Assert.Equal("live", (string?)provider!["mode"]);
        Assert.False((bool)provider["available"]!);
        await Deadline.WaitAsync(
            "the log says so", Deadline.Journey, () => Task.FromResult(topology.LogOf("training")), static log => log.Contains("replicate (live) cannot be reached", StringComparison.Ordinal));

        // The token is in the environment of the service that needs it and nowhere else: no other service, no command line, no log, no file.
        Assert.Contains(Token, EnvironmentOf(Assert.Single(topology.PidsOf("training"))), StringComparison.Ordinal);
        foreach (var service in Services.Where(static service => service is not ("training" or "migrations")))
        {
            Assert.All(topology.PidsOf(service), static pid => Assert.DoesNotContain(Token, EnvironmentOf(pid), StringComparison.Ordinal));
        }

        Assert.DoesNotContain(ProcessTree.All(), static process => process.CommandLine.Contains(Token, StringComparison.Ordinal));
        Assert.All(Services, service => Assert.DoesNotContain(Token, topology.LogOf(service), StringComparison.Ordinal));
        Assert.DoesNotContain(Token, await System.IO.File.ReadAllTextAsync(Path.Combine(topology.DataDirectory, "topology.json")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_WithTokensInTheShellAndNoMode_TalksToTheSandboxAndHandsNoneOn()
    {
        var secret = $"forgotten-{Guid.NewGuid():N}";
        await using var apphost = AppHostProcess.StartWithoutMode(
            [],
            ("REPLICATE_API_TOKEN", secret), ("FAL_KEY", secret), ("HF_TOKEN", secret), ("Parameters__replicate-token", secret),
            ("OTEL_EXPORTER_OTLP_HEADERS", $"x-collector={secret}"), ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", $"x-collector={secret}"),
            ("DOCKER_AUTH_CONFIG", $$$$"""{"auths":{"registry.example":{"auth":"{{{{secret}}}}"}}}"""));
        try
        {
            await apphost.WaitUntilHealthyAsync();
            var topology = JsonNode.Parse(await System.IO.File.ReadAllTextAsync(apphost.TopologyFile))!;
            Assert.StartsWith("r8_", (string?)topology["replicate_token"], StringComparison.Ordinal);
            Assert.DoesNotContain(secret, topology.ToJsonString(), StringComparison.Ordinal);

            var marked = apphost.Marked();
            Assert.Contains(secret, EnvironmentOf(apphost.Id), StringComparison.Ordinal);
            Assert.Contains(marked, static process => process.CommandLine.Contains("Flurrty.TrainingService", StringComparison.Ordinal));
            Assert.Contains(marked, static process => process.CommandLine.Contains("Flurrty.Sandbox", StringComparison.Ordinal));
            Assert.Empty(marked.Where(process => process.Pid != apphost.Id).SelectMany(process => EnvironmentOf(process.Pid).Split('\0')
                .Where(variable => variable.Contains(secret, StringComparison.Ordinal)).Select(variable => $"{process.Name}: {variable}")));

            using var client = new HttpClient { BaseAddress = new Uri((string)topology["gateway"]!) };
            client.DefaultRequestHeaders.Authorization = new("Bearer", (string)topology["development_key"]!);
            var provider = await Deadline.WaitAsync(
                "the Sandbox accepts its own token", Deadline.Journey,
                async () => JsonNode.Parse(await client.GetStringAsync(new Uri("/api/providers", UriKind.Relative)))!["providers"]![0]!,
                static provider => (bool)provider["available"]!);
            Assert.Equal("sandbox", (string?)provider["mode"]);
        }
        finally
        {
            await apphost.SignalAsync("TERM");
            await apphost.WaitForExitAsync();
        }

        Assert.DoesNotContain(secret, await apphost.Output + await apphost.Errors, StringComparison.Ordinal);
        await Deadline.WaitAsync(
            "nothing of it runs", Deadline.Journey, () => Task.FromResult(string.Join('\n', apphost.Marked())), static left => left.Length == 0);
    }

    [Fact]
    public async Task Start_WithWordsThatAreNoModes_SaysEveryErrorAndEnds()
    {
        await using var apphost = AppHostProcess.StartWithoutMode(
            ["--Providers:Replicate:Mode=lve", "--Providers:Fal:Mode=live", "--Parameters:public-base-url=here"]);
        var said = await apphost.Errors.WaitAsync(Deadline.Journey);
        await apphost.WaitForExitAsync();

        Assert.Equal(2, apphost.ExitCode);
        Assert.Contains("Providers:Replicate:Mode=lve is not known: it is live, sandbox or off.", said, StringComparison.Ordinal);
        Assert.Contains("there is no provider Fal here", said, StringComparison.Ordinal);
        Assert.Contains("Parameters:public-base-url must be", said, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", said, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "Sandbox")]
    [InlineData("Providers:Replicate:Mode=", "Sandbox")]
    [InlineData("Providers:Replicate:Mode=live", "Live")]
    [InlineData("providers:REPLICATE:mode=LIVE", "Live")]
    [InlineData("Providers:Replicate:Mode=sandbox", "Sandbox")]
    [InlineData("Providers:Replicate:Mode=off", "Off")]
    [InlineData("REPLICATE_API_TOKEN=r8_x", "Sandbox")]
    [InlineData("Parameters:replicate-token=r8_x", "Sandbox")]
    public void Mode_OfReplicate_IsWhatIsSaid(string settings, string mode)
    {
        var providers = Read(settings);

        Assert.Empty(providers.Errors);
        Assert.Equal(mode, Assert.Single(providers.All).Mode.ToString());
        Assert.Equal(new Uri("https://api.replicate.com/v1"), providers.All[0].BaseUrl);
    }

    [Theory]
    [InlineData("Providers:Replicate:Mode=real", "it is live, sandbox or off")]
    [InlineData("Providers:Mode=live", "says for no provider what it is")]
    [InlineData("Providers:Fal:Mode=live", "there is no provider Fal")]
    [InlineData("Providers:RunPod:Mode=off", "there is no provider RunPod")]
    [InlineData("Providers:Replicate:Moode=live", "is not a setting of a provider")]
    [InlineData("Providers:Replicate:BaseUrl=https://proxy.example/v1", "for the mode live alone")]
    [InlineData("Providers:Replicate:Mode=live;Providers:Replicate:BaseUrl=http://proxy.example/v1", "must be an https URL")]
    [InlineData("Providers:Replicate:Mode=live;Parameters:public-base-url=http://flurrty.example", "must be https and reachable")]
    [InlineData("Providers:Replicate:Mode=live;Parameters:store-public-url=https://127.0.0.1:9000", "must be https and reachable")]
    [InlineData("Parameters:store-public-url=ftp://photos.example", "must be an absolute http or https URL")]
    public void Configuration_Wrong_IsRefusedWithASentence(string settings, string sentence) =>
        Assert.Contains(sentence, Assert.Single(Read(settings).Errors), StringComparison.Ordinal);

    private static Providers Read(string settings) => Providers.Read(new ConfigurationBuilder()
        .AddInMemoryCollection(settings.Split(';', StringSplitOptions.RemoveEmptyEntries).Select(static pair => pair.Split('=', 2)).Select(static pair => KeyValuePair.Create(pair[0], (string?)pair[1])))
        .Build());

    private async Task<IDistributedApplicationTestingBuilder> CreateAsync(params string[] args) =>
        await DistributedApplicationTestingBuilder.CreateAsync<Projects.AppHost>(
            [$"--Data:Directory={_data.CreateSubdirectory($"{Guid.NewGuid():N}").FullName}", "--environment=Development", .. args],
            static (options, _) => options.DisableDashboard = true);

    /// <summary>The variables of a resource, as a manifest would name what they come from.</summary>
    private static async Task<Dictionary<string, string>> EnvironmentAsync(IDistributedApplicationTestingBuilder builder, string name)
    {
        var resource = builder.Resources.Single(resource => resource.Name == name);
        var variables = new Dictionary<string, object>(StringComparer.Ordinal);
        var context = new EnvironmentCallbackContext(new DistributedApplicationExecutionContext(DistributedApplicationOperation.Publish), resource, variables);
        foreach (var annotation in resource.Annotations.OfType<EnvironmentCallbackAnnotation>())
        {
            await annotation.Callback(context);
        }

        return variables.ToDictionary(
            static pair => pair.Key, static pair => pair.Value is IManifestExpressionProvider expression ? expression.ValueExpression : $"{pair.Value}", StringComparer.Ordinal);
    }

    private static string EnvironmentOf(int pid)
    {
        try
        {
            return System.IO.File.ReadAllText($"/proc/{pid}/environ");
        }
        catch (IOException)
        {
            // It ended meanwhile.
            return string.Empty;
        }
    }
}
