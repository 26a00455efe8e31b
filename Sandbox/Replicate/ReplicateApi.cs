using System.Text.Json.Nodes;

namespace Flurrty.Sandbox.Replicate;

/// <summary>Everything under <c>/v1</c>, and the host that results are delivered from.</summary>
internal static class ReplicateApi
{
    private static readonly object AccountKey = new();

    public static void AddReplicate(this IServiceCollection services)
    {
        services.AddSingleton<Accounts>();
        services.AddSingleton<RateLimits>();
        services.AddSingleton<Origin>();
        services.AddSingleton<FileStore>();
        services.AddSingleton<ModelStore>();
        services.AddSingleton<TrainingStore>();
        services.AddSingleton<PredictionStore>();
        services.AddSingleton<RunCounts>();
        services.AddSingleton<Deliveries>();
        services.AddSingleton<OutboundHttp>();
        services.AddSingleton<Datasets>();
        services.AddSingleton<Webhooks>();
        services.AddSingleton<Speed>();
        services.AddSingleton<TrainingEngine>();
        services.AddHostedService(provider => provider.GetRequiredService<TrainingEngine>());
        services.AddSingleton<PredictionEngine>();
        services.AddHostedService(provider => provider.GetRequiredService<PredictionEngine>());
        services.AddSingleton<Retention>();
        services.AddHostedService(provider => provider.GetRequiredService<Retention>());
    }

    public static void UseReplicate(this WebApplication app)
    {
        app.UseWhen(context => context.Request.Path.StartsWithSegments("/v1", StringComparison.Ordinal), branch => branch.Use(GuardAsync));
    }

    public static void MapReplicate(this WebApplication app)
    {
        Deliveries.Map(app);
        var v1 = app.MapGroup("/v1");
        v1.MapGet("/account", (HttpContext context) => Reply.Json(200, new JsonObject
        {
            ["type"] = "user",
            ["username"] = context.Account().Username,
            ["name"] = "Sandbox User",
            ["github_url"] = null,
            ["avatar_url"] = null,
        }));
        v1.MapGet("/hardware", Hardware.List);
        v1.MapGet("/webhooks/default/secret", (HttpContext context) => Reply.Json(200, new JsonObject { ["key"] = context.Account().WebhookSecret }));
        Files.Map(v1);
        Models.Map(v1);
        Trainings.Map(v1);
        Predictions.Map(v1);
    }

    public static Account Account(this HttpContext context) => (Account)context.Items[AccountKey]!;

    private static async Task GuardAsync(HttpContext context, RequestDelegate next)
    {
        bool signed = Files.IsSignedDownload(context.Request.Path);
        if (!signed)
        {
            var services = context.RequestServices;
            if (services.GetRequiredService<Accounts>().Authenticate(context.Request) is not { } account)
            {
                await Reply.Unauthenticated().ExecuteAsync(context);
                return;
            }

            if (services.GetRequiredService<RateLimits>().Take(context, account) is { } throttled)
            {
                await throttled.ExecuteAsync(context);
                return;
            }

            context.Items[AccountKey] = account;
        }

        await next(context);

        // Routing answers unknown paths and methods without a body.
        if (context.Response is { StatusCode: 404 or 405, ContentLength: null, HasStarted: false, ContentType: null })
        {
            await (context.Response.StatusCode == 404
                ? Reply.NotFound()
                : Reply.Problem(405, $"Method \"{context.Request.Method}\" not allowed.", "Method not allowed")).ExecuteAsync(context);
        }
    }
}
