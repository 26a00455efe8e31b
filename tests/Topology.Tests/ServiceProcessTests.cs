using System.Net;
using Microsoft.Extensions.DependencyInjection;

namespace Flurrty.Topology.Tests;

/// <summary>What the services of a topology descend from, hold, log, and are after a restart.</summary>
[Collection(SharedTopologyTests.Name)]
public sealed class ServiceProcessTests(SharedTopology shared)
{
    private static readonly string[] Services = ["gateway", "uploads", "training", "registry", "sandbox", "postgres", "rabbitmq", "s3"];

    [Fact]
    public async Task Service_OfATopology_DescendsFromDcpAndSeesNoSecretOfAnother()
    {
        var topology = shared.Topology;
        var secrets = await SecretsAsync(topology);
        var services = Services.ToDictionary(static service => service, service => VariablesOf(Assert.Single(topology.PidsOf(service))), StringComparer.Ordinal);
        foreach (var service in Services)
        {
            var pid = Assert.Single(topology.PidsOf(service));
            Assert.Contains(ProcessTree.Ancestors(pid), static ancestor => ancestor.Name == "dcp");

            // What it holds is what the model gives it, and the model gives each its own: the passwords of other services' users are not there.
            foreach (var other in (string[])["uploads", "training", "registry"])
            {
                string[] own = [$"postgres-{other}-app-password", $"rabbitmq-{other}-password"];
                var holds = own.Where(name => services[service].Contains(secrets[name], StringComparison.Ordinal)).ToArray();
                if (service == other)
                {
                    Assert.Equal(own, holds);
                }
                else if (service is not ("postgres" or "rabbitmq" or "s3"))
                {
                    Assert.True(holds.Length == 0, $"{service} holds {string.Join(", ", holds)}");
                }
            }
        }

        // The dashboard masks values of variables by itself; those of parameters where they are marked.
        Assert.All(topology.States.Where(static state => state.Resource is ParameterResource { Secret: true }), static state =>
            Assert.True(state.Snapshot.Properties.Single(static property => property.Name == "Value").IsSensitive, state.Resource.Name));
        Assert.All(secrets.Keys.Where(static name => name.EndsWith("password", StringComparison.Ordinal)), name =>
            Assert.True(topology.App.Services.GetRequiredService<DistributedApplicationModel>().Resources.OfType<ParameterResource>().Single(parameter => parameter.Name == name).Secret, name));
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
        var secrets = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var parameter in topology.App.Services.GetRequiredService<DistributedApplicationModel>().Resources.OfType<ParameterResource>())
        {
            if (await parameter.GetValueAsync(CancellationToken.None) is { Length: > 15 } value)
            {
                secrets[parameter.Name] = value;
            }
        }

        return secrets;
    }

    private static string VariablesOf(int pid) => File.ReadAllText($"/proc/{pid}/environ");
}
