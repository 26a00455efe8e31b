using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Flurrty.ServiceDefaults.Tickets;

/// <summary>Names of the authorization policies by kind of ticket.</summary>
public static class TicketPolicies
{
    /// <summary>An account's caller. The policy of every endpoint that names none.</summary>
    public const string User = "ticket-user";

    /// <summary>A provider's webhook.</summary>
    public const string Webhook = "ticket-webhook";

    /// <summary>A worker of our own.</summary>
    public const string Worker = "ticket-worker";

    /// <summary>Another service.</summary>
    public const string Service = "ticket-service";

    /// <summary>A person who runs the installation.</summary>
    public const string Operator = "ticket-operator";
}

/// <summary>Authentication by ticket: nobody reaches a service but with one.</summary>
public static class TicketAuthentication
{
    /// <summary>The header that carries the ticket.</summary>
    public const string HeaderName = "X-Flurrty-Ticket";

    /// <summary>The issuer that alone may speak for users, operators, webhooks and workers.</summary>
    public const string Gateway = "gateway";

    private const string Scheme = "Ticket";

    /// <summary>Requires a ticket for every endpoint that does not allow anonymous callers.</summary>
    /// <param name="builder">The host.</param>
    public static TBuilder AddCallerTickets<TBuilder>(this TBuilder builder)
        where TBuilder : IHostApplicationBuilder
    {
        builder.AddTicketOptions();
        builder.Services.AddSingleton<TicketVerifier>();
        builder.Services.AddAuthentication(Scheme).AddScheme<AuthenticationSchemeOptions, TicketHandler>(Scheme, configureOptions: null);
        builder.Services.AddAuthorizationBuilder()
            .AddPolicy(TicketPolicies.User, policy => policy.RequireClaim(ClaimTypes.Role, nameof(TicketKind.User)))
            .AddPolicy(TicketPolicies.Webhook, policy => policy.RequireClaim(ClaimTypes.Role, nameof(TicketKind.Webhook)))
            .AddPolicy(TicketPolicies.Worker, policy => policy.RequireClaim(ClaimTypes.Role, nameof(TicketKind.Worker)))
            .AddPolicy(TicketPolicies.Service, policy => policy.RequireClaim(ClaimTypes.Role, nameof(TicketKind.Service)))
            .AddPolicy(TicketPolicies.Operator, policy => policy.RequireClaim(ClaimTypes.Role, nameof(TicketKind.Operator)))
            .SetFallbackPolicy(new AuthorizationPolicyBuilder().RequireClaim(ClaimTypes.Role, nameof(TicketKind.User)).Build());
        return builder;
    }

    /// <summary>Registers the <see cref="TicketSigner"/> with the key of <c>Tickets:SigningKey</c>.</summary>
    /// <param name="builder">The host.</param>
    public static TBuilder AddTicketSigner<TBuilder>(this TBuilder builder)
        where TBuilder : IHostApplicationBuilder
    {
        builder.AddTicketOptions();
        builder.Services.AddSingleton<TicketSigner>();
        return builder;
    }

    /// <summary>The caller of this request.</summary>
    /// <param name="context">The request, let in by a ticket.</param>
    public static Caller GetCaller(this HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return (Caller)(context.Items[typeof(Caller)] ?? throw new InvalidOperationException("The endpoint allows anonymous callers."));
    }

    private static void AddTicketOptions<TBuilder>(this TBuilder builder)
        where TBuilder : IHostApplicationBuilder
    {
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddOptions<TicketOptions>().BindConfiguration("Tickets").ValidateOnStart();
        builder.Services.AddSingleton<IValidateOptions<TicketOptions>, TicketOptionsValidation>();
    }

    private sealed class TicketHandler(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder, TicketVerifier verifier)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
    {
        protected override Task<AuthenticateResult> HandleAuthenticateAsync()
        {
            if (Request.Headers[HeaderName] is not [{ Length: > 0 } ticket])
            {
                return Task.FromResult(AuthenticateResult.NoResult());
            }

            if (verifier.Verify(ticket, Request.Method, (Request.PathBase + Request.Path).Value ?? "") is not { } caller)
            {
                return Task.FromResult(AuthenticateResult.Fail("The ticket is not valid here."));
            }

            Context.Items[typeof(Caller)] = caller;
            var identity = new ClaimsIdentity(
                [new Claim(ClaimTypes.NameIdentifier, caller.AccountId.ToString()), new Claim(ClaimTypes.Role, caller.Kind.ToString())], TicketAuthentication.Scheme);
            return Task.FromResult(AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(identity), TicketAuthentication.Scheme)));
        }
    }
}
