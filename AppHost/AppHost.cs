using Flurrty.AppHost;
using Flurrty.AppHost.Infrastructure;
using Microsoft.Extensions.Configuration;

var builder = DistributedApplication.CreateBuilder(args);
AmbientVariables.Clear();
if (DataDirectory.Of(builder) is not { } data)
{
    return 1;
}

var keys = builder.AddKeys(data);
var infrastructure = builder.AddInfrastructure(data, keys.Development);
var isStrict = bool.TryParse(builder.Configuration["Sandbox:Strict"], out var strict) && strict;

var sandbox = builder.AddProject<Projects.Sandbox>("sandbox").WithHttpEndpoint()
    .WithEnvironment("Sandbox__DataDirectory", data.Below("sandbox"))
    .WithEnvironment("Sandbox__Strict", isStrict ? "true" : "false")
    .WithEnvironment("Sandbox__SecondsPerTraining", builder.Configuration["Sandbox:SecondsPerTraining"] ?? "6")
    .WithEnvironment("Sandbox__Tokens__0", keys.ReplicateToken)
    .WithEnvironment("Sandbox__AdminToken", keys.SandboxAdmin)
    .AsService("BotSparkle").WithSandboxCommands(keys.SandboxAdmin);

var migrations = builder.AddProject<Projects.Migrations>("migrations")
    .WithDatabaseOwners(infrastructure)
    .WithEnvironment("Migrator__DataDirectory", data.Root)
    .WithParentRelationship(infrastructure.Databases).WithIconName("DatabaseArrowUp")
    .WaitFor(infrastructure.Databases);

var uploads = builder.AddProject<Projects.UploadService>("uploads").WithHttpEndpoint()
    .WithDatabase(infrastructure, "uploads").WithMessaging(infrastructure, "uploads").WithStore(infrastructure, "uploads", "photos")
    .WithTickets(keys, "uploads")
    // Photos are streamed, so what allocators keep back is most of what the service would hold: measured, 25 MB less (docs/performance.md).
    .WithEnvironment("MALLOC_ARENA_MAX", "1").WithEnvironment("MALLOC_TRIM_THRESHOLD_", "131072").WithEnvironment("DOTNET_GCgen0size", "0x400000")
    .AsInternalService("ImageMultiple")
    .WaitForCompletion(migrations);

var training = builder.AddProject<Projects.TrainingService>("training").WithHttpEndpoint()
    .WithDatabase(infrastructure, "training").WithMessaging(infrastructure, "training").WithStore(infrastructure, "training", "models")
    .WithTickets(keys, "training", keys.TrainingSigning)
    .WithReference(uploads)
    .WithEnvironment("Replicate__BaseUrl", ReferenceExpression.Create($"{sandbox.GetEndpoint("http")}/v1"))
    .WithEnvironment("Replicate__ApiToken", keys.ReplicateToken)
    .AsInternalService("BrainCircuit")
    .WaitForCompletion(migrations).WaitFor(sandbox);

var registry = builder.AddProject<Projects.RegistryService>("registry").WithHttpEndpoint()
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

if (!isStrict)
{
    // A strict provider refuses loopback webhooks, as the real ones do: then the driver looks by itself.
    training.WithEnvironment("PublicBaseUrl", gateway.GetEndpoint("http"));
}

foreach (var project in (IResourceBuilder<ProjectResource>[])[sandbox, uploads, training, registry, gateway])
{
    project.WithSettings();
}

builder.AddTopologyFile(data, keys, infrastructure, gateway, sandbox);
builder.EndOnRefusedData(infrastructure.Databases, infrastructure.Broker, infrastructure.Store, migrations);
builder.Build().Run();
return Environment.ExitCode;
