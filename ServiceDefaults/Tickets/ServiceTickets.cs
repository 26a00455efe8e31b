using Microsoft.Extensions.DependencyInjection;

namespace Flurrty.ServiceDefaults.Tickets;

/// <summary>Calls from one service to another, on behalf of an account.</summary>
public static class ServiceTickets
{
    private static readonly HttpRequestOptionsKey<Guid> Account = new("Flurrty.Account");

    /// <summary>Signs each request of this client with a ticket of kind <see cref="TicketKind.Service"/>; needs <see cref="TicketAuthentication.AddTicketSigner"/>.</summary>
    /// <param name="builder">The client.</param>
    /// <param name="audience">The service that it calls.</param>
    public static IHttpClientBuilder AddServiceTicket(this IHttpClientBuilder builder, string audience) =>
        builder.AddHttpMessageHandler(services => new ServiceTicketHandler(services.GetRequiredService<TicketSigner>(), audience));

    /// <summary>Says for which account the request is made.</summary>
    /// <param name="request">The request.</param>
    /// <param name="accountId">The account.</param>
    public static HttpRequestMessage ForAccount(this HttpRequestMessage request, Guid accountId)
    {
        ArgumentNullException.ThrowIfNull(request);
        request.Options.Set(Account, accountId);
        return request;
    }

    private sealed class ServiceTicketHandler(TicketSigner signer, string audience) : DelegatingHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (!request.Options.TryGetValue(Account, out var accountId))
            {
                throw new InvalidOperationException("A call to another service is made for an account: call ForAccount.");
            }

            var path = Uri.UnescapeDataString(request.RequestUri!.AbsolutePath);
            request.Headers.Remove(TicketAuthentication.HeaderName);
            request.Headers.Add(TicketAuthentication.HeaderName, signer.Sign(TicketKind.Service, audience, accountId, request.Method.Method, path));
            return base.SendAsync(request, cancellationToken);
        }
    }
}
