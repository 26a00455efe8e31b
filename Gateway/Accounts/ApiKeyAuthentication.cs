using System.Security.Claims;
using System.Text.Encodings.Web;
using Flurrty.ServiceDefaults.Problems;
using Flurrty.ServiceDefaults.Tickets;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.Extensions.Options;

namespace Flurrty.Gateway.Accounts;

/// <summary>Lets callers in by API key: <c>Authorization: Bearer flr_…</c>, or <c>X-Api-Key</c>.</summary>
internal static class ApiKeyAuthentication
{
    private const string Scheme = "ApiKey";

    public static IHostApplicationBuilder AddApiKeys(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOptions<ApiKeysOptions>()
            .Configure<IConfiguration>((options, configuration) => configuration.GetSection(ApiKeysOptions.Section).Bind(options.Keys))
            .ValidateOnStart();
        builder.Services.AddSingleton<IValidateOptions<ApiKeysOptions>, ApiKeysValidation>();
        builder.Services.AddSingleton<IApiKeys, ConfiguredApiKeys>();
        builder.Services.AddAuthentication(Scheme).AddScheme<AuthenticationSchemeOptions, ApiKeyHandler>(Scheme, configureOptions: null);

        // What nobody has opened on purpose is closed. An operator's key opens no account's things: a user's routes ask for the role too.
        var user = new AuthorizationPolicyBuilder().RequireRole(nameof(ApiKeyRole.User)).Build();
        builder.Services.AddAuthorizationBuilder()
            .SetDefaultPolicy(user)
            .SetFallbackPolicy(user)
            .AddPolicy(TicketPolicies.Operator, policy => policy.RequireRole(nameof(ApiKeyRole.Operator)));
        return builder;
    }

    private sealed class ApiKeyHandler(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder, IApiKeys keys)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
    {
        private const string Bearer = "Bearer ";
        private const string KeyHeader = "X-Api-Key";

        protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
        {
            if (ReadKey() is not { } key)
            {
                return AuthenticateResult.NoResult();
            }

            if (!ApiKey.IsWellFormed(key) || await keys.FindOwnerAsync(key, Context.RequestAborted) is not { } owner)
            {
                return AuthenticateResult.Fail("The API key is not known.");
            }

            var identity = new ClaimsIdentity(
                [new Claim(ClaimTypes.NameIdentifier, owner.Id.ToString()), new Claim(ClaimTypes.Role, owner.Role.ToString())], ApiKeyAuthentication.Scheme);
            return AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(identity), ApiKeyAuthentication.Scheme));
        }

        protected override async Task HandleChallengeAsync(AuthenticationProperties properties)
        {
            if (HasOtherScheme)
            {
                Response.Headers.WWWAuthenticate = "Bearer error=\"invalid_request\"";
                await Problem.WriteAsync(Context, Problem.Details(
                    401, "bearer_scheme_missing", "The Authorization header is not 'Bearer' and a key.", "Send the key as 'Authorization: Bearer flr_…', or in the X-Api-Key header and no Authorization."));
                return;
            }

            if (ReadKey() is null)
            {
                Response.Headers.WWWAuthenticate = "Bearer";
                await Problem.WriteAsync(Context, Problem.Details(
                    401, "api_key_missing", "The request has no API key.", "Send it as 'Authorization: Bearer flr_…' or in the X-Api-Key header."));
                return;
            }

            Response.Headers.WWWAuthenticate = "Bearer error=\"invalid_token\"";
            await Problem.WriteAsync(Context, Problem.Details(
                401, "api_key_invalid", "The API key is not valid.", "Check that the whole key was sent and that it was not revoked."));
        }

        protected override Task HandleForbiddenAsync(AuthenticationProperties properties) => Problem.WriteAsync(Context, Context.User.IsInRole(nameof(ApiKeyRole.Operator))
            ? Problem.Details(403, "user_key_required", "An operator's key is for operator routes alone.", "Use a key of the account whose things these are.")
            : Problem.Details(403, "operator_key_required", "Only an operator may do this.", "Use an API key that has the role Operator."));

        private bool HasOtherScheme =>
            Request.Headers.Authorization is { Count: > 0 } authorization && !authorization.ToString().StartsWith(Bearer, StringComparison.OrdinalIgnoreCase);

        // Null when there is none under the scheme; what cannot be one is given as it is and refused.
        private string? ReadKey()
        {
            var authorization = Request.Headers.Authorization;
            if (authorization.Count > 0)
            {
                return HasOtherScheme ? null : authorization.ToString()[Bearer.Length..].Trim();
            }

            return Request.Headers.TryGetValue(KeyHeader, out var key) ? key.ToString() : null;
        }
    }
}
