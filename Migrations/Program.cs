using Flurrty.Migrations;
using Flurrty.ServiceDefaults.Telemetry;

var builder = Host.CreateApplicationBuilder(args);
builder.ConfigureOpenTelemetry();
builder.Services.AddOptions<MigratorOptions>().BindConfiguration(MigratorOptions.Section).ValidateDataAnnotations().ValidateOnStart();
builder.Services.AddSingleton(TimeProvider.System);
builder.Services.AddSingleton(Console.Error);
builder.Services.AddSingleton<Migrator>();

using var host = builder.Build();
await host.StartAsync();
var outcome = await host.Services.GetRequiredService<Migrator>().MigrateAsync(
    Schemas.All, host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping);
await host.StopAsync();
return outcome switch
{
    MigrationOutcome.Migrated => 0,
    MigrationOutcome.Failed => 1,
    // EX_DATAERR of sysexits.h, as the server scripts say it.
    _ => 65,
};
