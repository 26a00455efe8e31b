using System.Security.Cryptography;
using System.Text;
using Flurrty.Sandbox.Journal;
using Microsoft.Extensions.Options;

namespace Flurrty.Sandbox.Replicate;

/// <summary>What an account keeps across restarts.</summary>
internal sealed record Account
{
    public required string Username { get; init; }
    public required string WebhookSecret { get; init; }

    /// <summary>US dollars left; null means as many as it takes.</summary>
    public double? Credit { get; init; }

    /// <summary>Replaces the ordinary rate limits, as the real service does for accounts with little credit.</summary>
    public int? RequestsPerMinute { get; init; }
}

/// <summary>Who a token belongs to.</summary>
internal sealed class Accounts
{
    private readonly Dictionary<string, string> _usernames = new(StringComparer.Ordinal);
    private readonly DocumentSet<Account> _accounts;

    public Accounts(IOptions<SandboxOptions> options, DocumentJournal journal)
    {
        _accounts = journal.Set<Account>("account");
        var replicate = options.Value.Replicate;
        foreach (var named in replicate.Accounts)
        {
            _usernames[Key(named.Token)] = named.Username;
        }

        int number = 0;
        foreach (string token in replicate.Tokens.Concat(options.Value.Tokens))
        {
            number++;
            _usernames.TryAdd(Key(token), number == 1 ? replicate.Username : $"{replicate.Username}-{number}");
        }

        foreach (string username in _usernames.Values.Distinct(StringComparer.Ordinal))
        {
            _accounts.TryAdd(username, new Account { Username = username, WebhookSecret = Wire.NewWebhookSecret() });
        }
    }

    public IEnumerable<Account> All => _accounts.All.OrderBy(account => account.Username, StringComparer.Ordinal);

    public Account? Find(string username) => _accounts.Find(username);

    public Account? Change(string username, Func<Account, Account?> change) => _accounts.Change(username, change);

    /// <summary>Takes the cost of a run from what is left; an endless credit stays endless.</summary>
    public void Charge(string username, double cost) =>
        _accounts.Change(username, account => account.Credit is { } credit && cost > 0 ? account with { Credit = credit - cost } : null);

    public Account? Authenticate(HttpRequest request)
    {
        string header = request.Headers.Authorization.ToString();
        string token = header.StartsWith("Bearer ", StringComparison.Ordinal) ? header[7..]
            : header.StartsWith("Token ", StringComparison.Ordinal) ? header[6..]
            : "";
        return _usernames.TryGetValue(Key(token), out string? username) ? _accounts.Find(username) : null;
    }

    // Tokens are looked up by digest, so that the time a look-up takes tells nothing about them.
    private static string Key(string token) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
}
