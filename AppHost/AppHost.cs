using Flurrty.AppHost;
using Flurrty.AppHost.Infrastructure;
using Microsoft.Extensions.Configuration;

var builder = DistributedApplication.CreateBuilder(args);
AmbientVariables.Clear();
var providers = Providers.Read(builder.Configuration);
if (providers.Errors.Count > 0)
{
    await Console.Error.WriteLineAsync(string.Join(Environment.NewLine, providers.Errors));
    return 2;
}

if (DataDirectory.Of(builder) is not { } data)
{
    return 1;
}

var keys = builder.AddKeys(data);
InfrastructureResources infrastructure;
try
{
    infrastructure = builder.WithStorePublicUrl(builder.AddInfrastructure(data, keys.Development));
}
catch (DistributedApplicationException refused)
{
    await Console.Error.WriteLineAsync(refused.Message);
    return 2;
}

var isStrict = bool.TryParse(builder.Configuration["Sandbox:Strict"], out var strict) && strict;

// None when every provider is live or off.
var sandbox = builder.AddSandbox(providers, data, keys, isStrict);

var migrations = builder.AddProject<Projects.Migrations>("migrations")
    .WithDatabaseOwners(infrastructure)
    .WithEnvironment("Migrator__DataDirectory", data.Root)
    .WithParentRelationship(infrastructure.Databases).WithIconName("DatabaseArrowUp")
    .WaitFor(infrastructure.Databases);

var uploads = builder.AddProject<Projects.UploadService>("uploads").WithHttpEndpoint().WithHttp2Endpoint()
    .WithDatabase(infrastructure, "uploads").WithMessaging(infrastructure, "uploads").WithStore(infrastructure, "uploads", "photos")
    .WithTickets(keys, "uploads")
    // Photos are streamed, so what allocators keep back is most of what the service would hold: measured, 25 MB less (docs/performance.md).
    .WithEnvironment("MALLOC_ARENA_MAX", "1").WithEnvironment("MALLOC_TRIM_THRESHOLD_", "131072").WithEnvironment("DOTNET_GCgen0size", "0x400000")
    .AsInternalService("ImageMultiple")
    .WaitForCompletion(migrations);

var training = builder.AddProject<Projects.TrainingService>("training").WithHttpEndpoint().WithHttp2Endpoint()
    .WithDatabase(infrastructure, "training").WithMessaging(infrastructure, "training").WithStore(infrastructure, "training", "models")
    .WithTickets(keys, "training", keys.TrainingSigning)
    .WithReference(uploads)
    .WithProviders(providers, sandbox, keys)
    .AsInternalService("BrainCircuit")
    .WaitForCompletion(migrations);

var registry = builder.AddProject<Projects.RegistryService>("registry").WithHttpEndpoint().WithHttp2Endpoint()
    .WithDatabase(infrastructure, "registry").WithMessaging(infrastructure, "registry")
    .WithTickets(keys, "registry", keys.RegistrySigning)
    .WithReference(uploads).WithReference(training)
    .AsInternalService("ContactCard")
    .WaitForCompletion(migrations);

var gateway = builder.AddProject<Projects.Gateway>("gateway").WithHttpEndpoint(port: builder.Configuration.GetValue<int?>("Ports:gateway"))
    .WithTickets(keys, "gateway", keys.GatewaySigning)
    .WithDevelopmentAccounts(keys)
    .WithReference(uploads).WithReference(training).WithReference(registry)
    .AsGateway("DoorArrowRight")
    .WaitFor(uploads).WaitFor(training).WaitFor(registry);

training.WithPublicBaseUrl(providers, gateway, isStrict);
foreach (var project in (IResourceBuilder<ProjectResource>[])[.. sandbox is null ? [] : new[] { sandbox.Project }, migrations, uploads, training, registry, gateway])
{
    project.WithSettings();
}

infrastructure.Broker.WithDeadLetterCommands(gateway, keys);
builder.AddTopologyFile(data, keys, infrastructure, gateway, sandbox);
builder.EndOnRefusedData(infrastructure.Databases, infrastructure.Broker, infrastructure.Store, migrations);
try
{
    builder.Build().Run();
}
catch (OperationCanceledException) when (Environment.ExitCode != 0)
{
    // Ended while it still started; why was said.
}

return Environment.ExitCode;
