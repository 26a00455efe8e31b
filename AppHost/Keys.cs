
namespace Flurrty.AppHost;

/// <summary>The secrets that the services share, as parameters: the dashboard shows them masked.</summary>
internal sealed record Keys(
    DevelopmentKeys Development,
    IResourceBuilder<ParameterResource> GatewaySigning,
    IResourceBuilder<ParameterResource> RegistrySigning,
    IResourceBuilder<ParameterResource> TrainingSigning,
    IResourceBuilder<ParameterResource> SandboxAdmin)
{
    /// <summary>Accounts of a development topology, each with one API key. The second is there to be refused the first one's things.</summary>
    public static readonly IReadOnlyList<string> Accounts = ["development", "guest"];

    private const string Operator = "operator";

    private static readonly IReadOnlyList<string> Issuers = ["gateway", "registry", "training"];

    public string ApiKey(string account) => $"flr_{Development.Secret($"api-key-{account}")}";

    /// <summary>The key of the topology's operator: for operator routes, and for those alone.</summary>
    public string OperatorKey => ApiKey(Operator);

    public Guid OperatorId => AccountId(Operator);

    public Guid AccountId(string account) => Development.Id($"account-{account}");

    public IEnumerable<(string Issuer, string Key)> VerificationKeys => Issuers.Select(issuer => (issuer, Development.VerificationKey($"{issuer}-signing-key")));
}

internal static class KeysExtensions
{
    public static Keys AddKeys(this IDistributedApplicationBuilder builder, DataDirectory data)
    {
        var development = new DevelopmentKeys(data);
        return new Keys(
            development,
            Signing("gateway"),
            Signing("registry"),
            Signing("training"),
            builder.AddParameter("sandbox-admin-token", () => development.Secret("sandbox-admin-token"), secret: true));

        IResourceBuilder<ParameterResource> Signing(string service) =>
            builder.AddParameter($"{service}-signing-key", () => development.SigningKey($"{service}-signing-key"), secret: true);
    }

    /// <summary>Gives a service its name as audience, the public keys of all issuers, and the private key of its own where it signs.</summary>
    public static IResourceBuilder<ProjectResource> WithTickets(
        this IResourceBuilder<ProjectResource> service, Keys keys, string audience, IResourceBuilder<ParameterResource>? signing = null)
    {
        service.WithEnvironment("Tickets__Audience", audience);
        foreach (var (issuer, key) in keys.VerificationKeys)
        {
            service.WithEnvironment($"Tickets__Issuers__{issuer}", key);
        }

        return signing is null ? service : service.WithEnvironment("Tickets__SigningKey", signing);
    }

    public static IResourceBuilder<ProjectResource> WithDevelopmentAccounts(this IResourceBuilder<ProjectResource> gateway, Keys keys)
    {
        for (var i = 0; i < Keys.Accounts.Count; i++)
        {
            gateway.WithEnvironment($"ApiKeys__{i}__Sha256", DevelopmentKeys.Sha256(keys.ApiKey(Keys.Accounts[i])));
            gateway.WithEnvironment($"ApiKeys__{i}__AccountId", keys.AccountId(Keys.Accounts[i]).ToString());
        }

        gateway.WithEnvironment($"ApiKeys__{Keys.Accounts.Count}__Sha256", DevelopmentKeys.Sha256(keys.OperatorKey));
        gateway.WithEnvironment($"ApiKeys__{Keys.Accounts.Count}__AccountId", keys.OperatorId.ToString());
        gateway.WithEnvironment($"ApiKeys__{Keys.Accounts.Count}__Role", "Operator");

        return gateway;
    }
}
