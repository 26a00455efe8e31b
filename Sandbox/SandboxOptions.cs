using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Flurrty.Sandbox;

/// <summary>How the sandbox behaves; bound from the section <c>Sandbox</c>.</summary>
internal sealed class SandboxOptions
{
    public const string Section = "Sandbox";

    /// <summary>Where journals, uploaded files and weights are kept.</summary>
    [Required]
    public string DataDirectory { get; init; } = "";

    /// <summary>Refuse plain http and addresses that are not public, as the real services do.</summary>
    public bool Strict { get; init; }

    /// <summary>The origin under which clients reach the sandbox; empty means the origin of each request.</summary>
    public string? PublicUrl { get; init; }

    /// <summary>When set, the admin API asks for it as a bearer token.</summary>
    public string? AdminToken { get; init; }

    /// <summary>Real seconds from the creation of a training to its end.</summary>
    [Range(0.05, 86_400)]
    public double SecondsPerTraining { get; init; } = 6;

    /// <summary>API tokens that are accepted by every provider of the sandbox.</summary>
    public IReadOnlyList<string> Tokens { get; init; } = [];

    public ReplicateOptions Replicate { get; init; } = new();

    public LoraOptions Lora { get; init; } = new();
}

internal enum MissingInput
{
    /// <summary>The create is accepted and the run fails before it starts; nothing is billed.</summary>
    Fail,

    /// <summary>The create is refused with 422.</summary>
    Refuse,
}

internal sealed class ReplicateOptions
{
    /// <summary>Accepted tokens; the first belongs to <c>sandbox-user</c>, the next to <c>sandbox-user-2</c> and so on.</summary>
    public IReadOnlyList<string> Tokens { get; init; } = [];

    /// <summary>Tokens whose account has a name of its own.</summary>
    public IReadOnlyList<ReplicateAccountOptions> Accounts { get; init; } = [];

    public string Username { get; init; } = "sandbox-user";

    [Range(1, 1_000_000)]
    public int RequestsPerMinute { get; init; } = 3000;

    [Range(1, 1_000_000)]
    public int PredictionsPerMinute { get; init; } = 600;

    /// <summary>Real seconds from the creation of a prediction to its end.</summary>
    [Range(0.01, 86_400)]
    public double SecondsPerPrediction { get; init; } = 1;

    [Range(1, 10_000)]
    public int PageSize { get; init; } = 100;

    public TimeSpan FileLifetime { get; init; } = TimeSpan.FromHours(24);

    /// <summary>How long input, logs and files of an ended run are kept.</summary>
    public TimeSpan Retention { get; init; } = TimeSpan.FromHours(1);

    public MissingInput MissingInput { get; init; }

    /// <summary>How long a webhook's receiver may take.</summary>
    public TimeSpan WebhookTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The pause before the second delivery of a webhook; it doubles after each failure.</summary>
    public TimeSpan WebhookRetryDelay { get; init; } = TimeSpan.FromMilliseconds(500);

    [Range(1, 20)]
    public int WebhookAttempts { get; init; } = 7;
}

internal sealed class ReplicateAccountOptions
{
    public string Token { get; init; } = "";

    public string Username { get; init; } = "";
}

internal enum LoraSize
{
    /// <summary>A few modules at rank 4: about half a megabyte.</summary>
    Small,

    /// <summary>Every module at the rank that was asked for: 172 MB at rank 16.</summary>
    Full,
}

internal sealed class LoraOptions
{
    public LoraSize Size { get; init; }
}

internal sealed class SandboxOptionsValidation : IValidateOptions<SandboxOptions>
{
    public ValidateOptionsResult Validate(string? name, SandboxOptions options)
    {
        var errors = new List<string>();
        foreach (object section in (object[])[options, options.Replicate])
        {
            var results = new List<ValidationResult>();
            Validator.TryValidateObject(section, new ValidationContext(section), results, validateAllProperties: true);
            errors.AddRange(results.Select(result => $"{SandboxOptions.Section}: {result.ErrorMessage}"));
        }

        if (options.PublicUrl is { Length: > 0 } url && !Uri.TryCreate(url, UriKind.Absolute, out _))
        {
            errors.Add("Sandbox:PublicUrl is not an absolute URL.");
        }

        var tokens = options.Tokens.Concat(options.Replicate.Tokens).Concat(options.Replicate.Accounts.Select(account => account.Token)).ToList();
        if (tokens.Count == 0)
        {
            errors.Add("Sandbox:Tokens is empty: name at least one accepted token, for example Sandbox:Tokens:0.");
        }

        if (tokens.Any(string.IsNullOrWhiteSpace))
        {
            errors.Add("A token of the sandbox is empty.");
        }

        if (options.Replicate.Accounts.Any(account => account.Username.Length == 0))
        {
            errors.Add("An entry of Sandbox:Replicate:Accounts has no Username.");
        }

        if (options.Replicate.FileLifetime <= TimeSpan.Zero || options.Replicate.Retention <= TimeSpan.Zero ||
            options.Replicate.WebhookTimeout <= TimeSpan.Zero || options.Replicate.WebhookRetryDelay <= TimeSpan.Zero)
        {
            errors.Add("Sandbox:Replicate: FileLifetime, Retention, WebhookTimeout and WebhookRetryDelay must be longer than nothing.");
        }

        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }
}
