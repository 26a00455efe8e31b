using System.Security.Claims;
using Flurrty.ServiceDefaults.Problems;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Flurrty.Gateway.Limits;

/// <summary>How often a caller may call. The numbers are in the RateLimit headers of every answer.</summary>
internal static class RequestLimits
{
    public static IHostApplicationBuilder AddLimits(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOptions<LimitsOptions>().BindConfiguration(LimitsOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        builder.Services.TryAddSingleton(TimeProvider.System);
        return builder;
    }

    /// <summary>Counts by address, before anything else is done for the request.</summary>
    public static WebApplication UseAddressLimit(this WebApplication app)
    {
        var options = app.Services.GetRequiredService<IOptions<LimitsOptions>>().Value;
        return app.UseLimit("address", options.PerAddress, context => IsHealth(context) ? null : context.Connection.RemoteIpAddress?.ToString());
    }

    /// <summary>Counts by account.</summary>
    public static WebApplication UseAccountLimit(this WebApplication app)
    {
        var options = app.Services.GetRequiredService<IOptions<LimitsOptions>>().Value;
        return app.UseLimit("account", options.PerAccount, context => context.User.FindFirstValue(ClaimTypes.NameIdentifier));
    }

    private static WebApplication UseLimit(this WebApplication app, string name, int limit, Func<HttpContext, string?> callerOf)
    {
        var window = app.Services.GetRequiredService<IOptions<LimitsOptions>>().Value.Window;
        var counter = new RequestCounter(app.Services.GetRequiredService<TimeProvider>(), window, limit);
        app.Use((context, next) =>
        {
            if (callerOf(context) is not { } caller)
            {
                return next(context);
            }

            var standing = counter.Count(caller);
            var reset = (int)Math.Ceiling(standing.Reset.TotalSeconds);
            var headers = context.Response.Headers;
            headers["RateLimit-Policy"] = $"\"{name}\";q={standing.Limit};w={(int)window.TotalSeconds}";
            headers["RateLimit"] = $"\"{name}\";r={standing.Remaining};t={reset}";
            if (standing.Allowed)
            {
                return next(context);
            }

            headers.RetryAfter = reset.ToString();
            return Problem.WriteAsync(context, Problem.Details(
                StatusCodes.Status429TooManyRequests, "rate_limited", "Too many requests.", $"Wait {reset} s, as the Retry-After header says."));
        });
        return app;
    }

    private static bool IsHealth(HttpContext context) => context.Request.Path.Value is "/health" or "/alive";
}
