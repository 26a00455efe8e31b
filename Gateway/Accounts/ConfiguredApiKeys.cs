using System.Security.Cryptography;
using Microsoft.Extensions.Options;

namespace Flurrty.Gateway.Accounts;

/// <summary>One key of configuration section <c>ApiKeys</c>.</summary>
internal sealed class ApiKeyEntry
{
    /// <summary>Lower-case hex of the key's SHA-256.</summary>
    public string Sha256 { get; init; } = "";

    /// <summary>The account that the key speaks for; an operator's own id if it is an operator's.</summary>
    public Guid AccountId { get; init; }

    /// <summary>What the key may be used for.</summary>
    public string Role { get; init; } = nameof(ApiKeyRole.User);
}

/// <summary>Configuration section <c>ApiKeys</c>: a list.</summary>
internal sealed class ApiKeysOptions
{
    public const string Section = "ApiKeys";

    public List<ApiKeyEntry> Keys { get; } = [];
}

/// <summary>Finds everything that is wrong with the configured keys at start.</summary>
internal sealed class ApiKeysValidation : IValidateOptions<ApiKeysOptions>
{
    public ValidateOptionsResult Validate(string? name, ApiKeysOptions options)
    {
        var errors = new List<string>();
        for (var i = 0; i < options.Keys.Count; i++)
        {
            if (options.Keys[i].Sha256.Length != 2 * SHA256.HashSizeInBytes || !options.Keys[i].Sha256.All(char.IsAsciiHexDigit))
            {
                errors.Add($"{ApiKeysOptions.Section}:{i}:Sha256 is not the hex of a SHA-256.");
            }

            if (options.Keys[i].AccountId == Guid.Empty)
            {
                errors.Add($"{ApiKeysOptions.Section}:{i}:AccountId is missing.");
            }

            if (!Enum.TryParse<ApiKeyRole>(options.Keys[i].Role, out _))
            {
                errors.Add($"{ApiKeysOptions.Section}:{i}:Role is not one of {string.Join(", ", Enum.GetNames<ApiKeyRole>())}.");
            }
        }

        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }
}

/// <summary>API keys out of the configuration. With none configured nobody is let in.</summary>
internal sealed class ConfiguredApiKeys(IOptions<ApiKeysOptions> options) : IApiKeys
{
    private readonly (byte[] Hash, ApiKeyOwner Owner)[] _keys =
        [.. options.Value.Keys.Select(entry => (Convert.FromHexString(entry.Sha256), new ApiKeyOwner(entry.AccountId, Enum.Parse<ApiKeyRole>(entry.Role))))];

    public ValueTask<ApiKeyOwner?> FindOwnerAsync(string key, CancellationToken cancellationToken)
    {
        var hash = ApiKey.Hash(key);
        ApiKeyOwner? found = null;
        foreach (var (known, owner) in _keys)
        {
            // Every key is compared, in the same time, whether one has matched or not.
            if (CryptographicOperations.FixedTimeEquals(known, hash))
            {
                found = owner;
            }
        }

        return ValueTask.FromResult(found);
    }
}
