using Flurrty.ServiceDefaults.Tickets;

namespace Flurrty.RegistryService.Identities;

/// <summary>The public API of identities.</summary>
internal static class IdentitiesApi
{
    private const string UploadService = "uploads";
    private static readonly TimeSpan SealPatience = TimeSpan.FromSeconds(10);

    public static IHostApplicationBuilder AddIdentities(this IHostApplicationBuilder builder)
    {
        builder.AddTicketSigner();
        builder.Services
            .AddHttpClient<PhotoSetSeals>(client =>
            {
                client.BaseAddress = new Uri($"http://{UploadService}");
                client.Timeout = SealPatience;
            })
            .AddServiceTicket(UploadService);
        builder.Services.AddHttpClient<ModelFiles>(client => client.Timeout = Timeout.InfiniteTimeSpan);
        builder.Services.AddScoped<CreateIdentity>();
        return builder;
    }

    public static IEndpointRouteBuilder MapIdentities(this IEndpointRouteBuilder routes)
    {
        var group = routes.MapGroup("/api/identities").WithTags("Identities");
        CreateIdentity.Map(group);
        ListIdentities.Map(group);
        GetIdentity.Map(group);
        DownloadModel.Map(group);
        return routes;
    }
}
