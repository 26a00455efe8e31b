namespace Flurrty.Gateway.Accounts;

/// <summary>Knows which account an API key belongs to.</summary>
internal interface IApiKeys
{
    /// <summary>The account of a well-formed key; null when nobody has it.</summary>
    ValueTask<Guid?> FindAccountAsync(string key, CancellationToken cancellationToken);
}
