using Flurrty.Sandbox.Admin;
using Flurrty.Sandbox.Faults;
using Flurrty.Sandbox.Invoices;
using Flurrty.Sandbox.Journal;
using Flurrty.Sandbox.Replicate;
using Microsoft.Extensions.Options;

namespace Flurrty.Sandbox;

/// <summary>The whole sandbox.</summary>
internal static class SandboxApplication
{
    public static WebApplication Create(string[] args)
    {
        var builder = WebApplication.CreateSlimBuilder(args);

        // Requests are not logged: their URLs hold signatures and delivery tokens.
        builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
        builder.Services.AddOptions<SandboxOptions>().BindConfiguration(SandboxOptions.Section).ValidateOnStart();
        builder.Services.AddSingleton<IValidateOptions<SandboxOptions>, SandboxOptionsValidation>();
        builder.Services.AddSingleton<SandboxClock>();
        builder.Services.AddSingleton<TimeProvider>(provider => provider.GetRequiredService<SandboxClock>());
        builder.Services.AddSingleton(provider => new DocumentJournal(Path.Combine(DataDirectory(provider), "replicate", "journal.jsonl")));
        builder.Services.AddSingleton(provider => new Invoice(Path.Combine(DataDirectory(provider), "invoice.jsonl")));
        builder.Services.AddSingleton<FaultBook>();

        // A request that waits for its run does not hold the process up.
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(3));
        builder.Services.AddReplicate();

        var app = builder.Build();
        app.UseWhen(
            context => context.Request.Path.StartsWithSegments("/v1", StringComparison.Ordinal) || context.Request.Path.StartsWithSegments("/delivery", StringComparison.Ordinal),
            branch => branch.UseMiddleware<FaultMiddleware>());
        app.UseReplicate();
        app.UseRouting();
        app.MapGet("/health", () => "Healthy");
        app.MapGet("/alive", () => "Alive");
        app.MapReplicate();
        app.MapAdmin();
        return app;
    }

    private static string DataDirectory(IServiceProvider provider) => provider.GetRequiredService<IOptions<SandboxOptions>>().Value.DataDirectory;
}
