namespace Flurrty.AppHost.Infrastructure;

/// <summary>Who may use the servers, and the passwords: one user per service, role and bucket, the same natively and in containers.</summary>
internal sealed class Credentials(IDistributedApplicationBuilder builder, DevelopmentKeys keys)
{
    /// <summary>Users of the broker. The one named readiness only asks whether it works.</summary>
    public static readonly IReadOnlyList<string> BrokerUsers = ["uploads", "training", "registry", Readiness];

    /// <summary>Users of the store, each with the bucket of its own.</summary>
    public static readonly IReadOnlyList<(string User, string Bucket)> StoreUsers = [("uploads", "photos"), ("training", "models"), (Readiness, Readiness)];

    public const string Readiness = "readiness";

    private readonly Dictionary<string, IResourceBuilder<ParameterResource>> _passwords = new(StringComparer.Ordinal);

    /// <summary>A password as a parameter, so that the dashboard masks it. Kept below the data directory with the data that it opens, and nowhere else.</summary>
    public IResourceBuilder<ParameterResource> Password(string name) =>
        _passwords.TryGetValue(name, out var parameter)
            ? parameter
            : _passwords[name] = builder.AddParameter($"{name}-password", () => keys.Secret(name), secret: true).WithDescription("Made at random on the first start.");

    /// <summary>Gives PostgreSQL's start script the databases and the password of each role.</summary>
    public void AddDatabasesTo<T>(IResourceBuilder<T> postgres)
        where T : IResourceWithEnvironment
    {
        postgres.WithEnvironment("FLURRTY_PG_DATABASES", string.Join(' ', InfrastructureResources.DatabaseNames));
        foreach (var database in InfrastructureResources.DatabaseNames)
        {
            foreach (var role in InfrastructureResources.DatabaseRoles)
            {
                postgres.WithEnvironment($"FLURRTY_PG_{database}_{role}_PASSWORD".ToUpperInvariant(), Password($"postgres-{database}-{role}"));
            }
        }
    }

    /// <summary>Logins and passwords of a server's users as one text: <c>login:password login:password</c>.</summary>
    public ReferenceExpression Logins(string server, IEnumerable<string> users, Func<string, string> login, char separator)
    {
        var expression = new ReferenceExpressionBuilder();
        foreach (var user in users)
        {
            expression.AppendLiteral($"{(expression.IsEmpty ? "" : " ")}{login(user)}{separator}");
            expression.AppendFormatted(Password($"{server}-{user}").Resource);
        }

        return expression.Build();
    }
}
