using System.Net;
using Microsoft.Extensions.DependencyInjection;

namespace Flurrty.Topology.Tests;

/// <summary>What the services of a topology descend from, hold, log, and are after a restart.</summary>
[Collection(SharedTopologyTests.Name)]
public sealed class ServiceProcessTests(SharedTopology shared)
{
    /// <summary>Each process, and the secrets that it is given: what the model gives it, written down once more.</summary>
    private static readonly Dictionary<string, string[]> Given = new(StringComparer.Ordinal)
    {
        ["gateway"] = ["gateway-signing-key"],
        ["uploads"] = ["postgres-uploads-app-password", "postgres-uploads-dispatcher-password", "rabbitmq-uploads-password", "s3-uploads-password"],
        ["training"] =
        [
            "postgres-training-app-password", "postgres-training-dispatcher-password", "rabbitmq-training-password", "s3-training-password",
            "sandbox-replicate-token", "training-signing-key",
        ],
        ["registry"] = ["postgres-registry-app-password", "postgres-registry-dispatcher-password", "rabbitmq-registry-password", "registry-signing-key"],
        ["sandbox"] = ["sandbox-admin-token", "sandbox-replicate-token"],
        ["migrations"] = ["postgres-registry-owner-password", "postgres-training-owner-password", "postgres-uploads-owner-password"],
        ["postgres"] =
        [
            "postgres-registry-app-password", "postgres-registry-dispatcher-password", "postgres-registry-owner-password", "postgres-superuser-password",
            "postgres-training-app-password", "postgres-training-dispatcher-password", "postgres-training-owner-password",
            "postgres-uploads-app-password", "postgres-uploads-dispatcher-password", "postgres-uploads-owner-password",
        ],
        ["rabbitmq"] = ["rabbitmq-readiness-password", "rabbitmq-registry-password", "rabbitmq-training-password", "rabbitmq-uploads-password"],
        ["s3"] = ["s3-readiness-password", "s3-training-password", "s3-uploads-password"],
    };

    /// <summary>The keys of callers, as the file of the topology names them; the gateway has their hashes.</summary>
    private static readonly string[] CallersKeys = ["development_key", "guest_key", "operator_key"];

    [Fact]
    public async Task Service_OfATopology_DescendsFromDcpAndHoldsOnlyTheSecretsGivenToIt()
    {
        var topology = shared.Topology;
        var secrets = await SecretsAsync(topology);
        foreach (var (service, given) in Given)
        {
            var variables = await VariablesOfAsync(topology, service);
            var holds = secrets.Where(secret => variables.Contains(secret.Value, StringComparison.Ordinal)).Select(static secret => secret.Key).Order(StringComparer.Ordinal);
            Assert.Equal((service, string.Join(' ', given)), (service, string.Join(' ', holds)));
        }

        // Nobody holds the keys of callers, and each secret that there is belongs to somebody.
        Assert.Equal(Given.Values.SelectMany(static given => given).Concat(CallersKeys).Distinct().Order(StringComparer.Ordinal), secrets.Keys.Order(StringComparer.Ordinal));
        var dcp = Given.Keys.SelectMany(topology.PidsOf).SelectMany(ProcessTree.Ancestors).First(static ancestor => ancestor.Name == "dcp");
        Assert.DoesNotContain(secrets, secret => VariablesOf(dcp.Pid).Contains(secret.Value, StringComparison.Ordinal));
    }

    [Fact]
    public void Secret_OfATopology_IsMaskedInTheDashboard()
    {
        // The dashboard masks values of variables by itself; those of parameters where they are marked.
        var parameters = shared.Topology.States.Where(static state => state.Resource is ParameterResource).ToArray();
        Assert.All(parameters.Where(static state => state.Resource is ParameterResource { Secret: true }), static state =>
            Assert.True(state.Snapshot.Properties.Single(static property => property.Name == "Value").IsSensitive, state.Resource.Name));
        string[] words = ["password", "token", "key"];
        var named = parameters.Where(state => words.Contains(state.Resource.Name.Split('-')[^1], StringComparer.Ordinal)).ToArray();
        Assert.NotEmpty(named);
        Assert.All(named, static state => Assert.True(((ParameterResource)state.Resource).Secret, state.Resource.Name));
    }

    [Fact]
    public async Task Restart_OfAService_ChangesItsPidAndKeepsItsPort()
    {
        var topology = shared.Topology;
        var before = Assert.Single(topology.PidsOf("registry"));
        var endpoint = topology.App.GetEndpoint("registry", "http");
        await topology.CommandAsync("registry", "resource-restart");
        await Deadline.WaitAsync(
            "the registry runs as another process", Deadline.Step, () => Task.FromResult(string.Join(' ', topology.PidsOf("registry"))), pids => pids.Length > 0 && !pids.Split(' ').Contains($"{before}"));
        await topology.Notifications.WaitForResourceHealthyAsync("registry").WaitAsync(Deadline.Journey);
        Assert.Equal(endpoint, topology.App.GetEndpoint("registry", "http"));
        using var response = await topology.Client.GetAsync(new Uri("/api/identities", UriKind.Relative));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Fact]
    public async Task Error_ThatAResourceLogs_IsSeen() =>
        await Deadline.WaitAsync(
            "the planted error is seen",
            Deadline.Step,
            () => Task.FromResult(string.Join('\n', shared.Topology.Errors)),
            static errors => errors.Contains(SharedTopology.PlantedError, StringComparison.Ordinal));

    private static async Task<Dictionary<string, string>> SecretsAsync(RunningTopology topology)
    {
        var secrets = CallersKeys.ToDictionary(static key => key, key => (string)topology.File[key]!, StringComparer.Ordinal);
        foreach (var parameter in topology.App.Services.GetRequiredService<DistributedApplicationModel>().Resources.OfType<ParameterResource>().Where(static parameter => parameter.Secret))
        {
            secrets[parameter.Name] = (await parameter.GetValueAsync(CancellationToken.None))!;
        }

        // Shorter ones could be found by accident.
        Assert.All(secrets, static secret => Assert.True(secret.Value.Length > 15, secret.Key));
        return secrets;
    }

    private static async Task<string> VariablesOfAsync(RunningTopology topology, string service)
    {
        if (service == "migrations")
        {
            // It has ended: what it was started with is told.
            var ended = topology.States.Single(static state => state.Resource.Name == "migrations").Snapshot;
            return string.Join('\0', ended.EnvironmentVariables.Select(static variable => $"{variable.Name}={variable.Value}"));
        }

        var pid = Assert.Single(await Deadline.WaitAsync($"{service} runs", () => Task.FromResult(topology.PidsOf(service)), static pids => pids.Count > 0));
        Assert.Contains(ProcessTree.Ancestors(pid), static ancestor => ancestor.Name == "dcp");
        return VariablesOf(pid);
    }

    private static string VariablesOf(int pid) => File.ReadAllText($"/proc/{pid}/environ");
}
