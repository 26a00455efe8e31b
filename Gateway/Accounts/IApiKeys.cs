namespace Flurrty.Gateway.Accounts;

/// <summary>What a key may be used for.</summary>
internal enum ApiKeyRole
{
    /// <summary>An account's own things.</summary>
    User,

    /// <summary>The installation: operator routes, and those alone.</summary>
    Operator,
}

/// <summary>Whose key it is.</summary>
/// <param name="Id">The account, or the operator.</param>
/// <param name="Role">What the key may be used for.</param>
internal sealed record ApiKeyOwner(Guid Id, ApiKeyRole Role);

/// <summary>Knows whom an API key belongs to.</summary>
internal interface IApiKeys
{
    /// <summary>The owner of a well-formed key; null when nobody has it.</summary>
    ValueTask<ApiKeyOwner?> FindOwnerAsync(string key, CancellationToken cancellationToken);
}
