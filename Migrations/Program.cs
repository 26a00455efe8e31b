using Flurrty.Migrations;
using Flurrty.ServiceDefaults.Telemetry;

var builder = Host.CreateApplicationBuilder(args);
builder.ConfigureOpenTelemetry();
builder.Services.AddOptions<MigratorOptions>().BindConfiguration(MigratorOptions.Section).ValidateDataAnnotations().ValidateOnStart();
builder.Services.AddSingleton(TimeProvider.System);
builder.Services.AddSingleton<Migrator>();

using var host = builder.Build();
await host.StartAsync();
var migrated = await host.Services.GetRequiredService<Migrator>().MigrateAsync(
    Schemas.All, host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping);
await host.StopAsync();
return migrated ? 0 : 1;
