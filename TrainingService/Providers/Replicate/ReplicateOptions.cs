using System.ComponentModel.DataAnnotations;
using Flurrty.TrainingService.Jobs;
using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Providers.Replicate;

/// <summary>How Replicate is reached.</summary>
internal sealed class ReplicateOptions
{
    public const string Section = "Replicate";

    /// <summary><c>live</c>, <c>sandbox</c> or <c>off</c>. There is no default: whether money is spent is said, not guessed.</summary>
    public string? Mode { get; set; }

    [Required]
    public Uri BaseUrl { get; set; } = new("https://api.replicate.com/v1");

    public string ApiToken { get; set; } = string.Empty;

    [Required]
    [RegularExpression("^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$")]
    public string Trainer { get; set; } = "ostris/flux-dev-lora-trainer";

    /// <summary>Replicate wants a hardware for a new model, though a FLUX fine-tune runs on its own.</summary>
    [Required(AllowEmptyStrings = false)]
    public string DestinationHardware { get; set; } = "gpu-t4";

    /// <summary>Hosts that artifacts may be fetched from; <c>*.</c> in front allows every host below.</summary>
    [MinLength(1)]
    public IList<string> DeliveryHosts { get; } = [];

    [Range(typeof(decimal), "0", "1")]
    public decimal DollarsPerSecond { get; set; } = 0.001525m;

    /// <summary>How often a request that may be repeated is sent in all.</summary>
    [Range(1, 10)]
    public int Tries { get; set; } = 4;

    [Range(typeof(TimeSpan), "00:00:00.001", "00:00:30")]
    public TimeSpan FirstPause { get; set; } = TimeSpan.FromMilliseconds(500);

    /// <summary>A longer wait than this is left to the caller, who does not hold a slot meanwhile.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:01:00")]
    public TimeSpan MaxPause { get; set; } = TimeSpan.FromSeconds(5);

    [Range(typeof(TimeSpan), "00:00:00.1", "00:05:00")]
    public TimeSpan RequestTimeout { get; set; } = TimeSpan.FromSeconds(20);

    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan UploadTimeout { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>The limit of an answer that is read. Logs can be many megabytes.</summary>
    [Range(1024, 256 * 1024 * 1024)]
    public int MaxAnswerBytes { get; set; } = 32 * 1024 * 1024;

    [Range(1024, 100_000_000)]
    public long MaxFileBytes { get; set; } = 100_000_000;

    [Range(typeof(TimeSpan), "00:00:01", "00:30:00")]
    public TimeSpan WebhookTolerance { get; set; } = TimeSpan.FromMinutes(5);
}

internal sealed class ReplicateOptionsRules : IValidateOptions<ReplicateOptions>
{
    public ValidateOptionsResult Validate(string? name, ReplicateOptions options)
    {
        var errors = new List<string>();
        var mode = ProviderModes.Parse(options.Mode);
        if (mode is null)
        {
            errors.Add("Replicate:Mode must be live, sandbox or off.");
        }

        if (options.ApiToken.Length == 0 && mode != ProviderMode.Off)
        {
            errors.Add("Replicate:ApiToken is missing. Tokens are made at https://replicate.com/account/api-tokens.");
        }
        else if (options.ApiToken.AsSpan().ContainsAnyExceptInRange('!', '~'))
        {
            errors.Add("Replicate:ApiToken holds a space or another character that no token has.");
        }

        if (!options.BaseUrl.IsAbsoluteUri || options.BaseUrl.Scheme is not ("http" or "https"))
        {
            errors.Add("Replicate:BaseUrl must be an absolute http or https URL.");
        }
        else if (options.BaseUrl.UserInfo.Length > 0 || options.BaseUrl.Query.Length > 0)
        {
            errors.Add("Replicate:BaseUrl must hold neither user info nor a query.");
        }
        else if (mode == ProviderMode.Live && options.BaseUrl.Scheme is not "https")
        {
            errors.Add("Replicate:BaseUrl must be https when Replicate:Mode is live: the token goes there.");
        }
        else if (mode == ProviderMode.Sandbox && IsReplicate(options.BaseUrl.Host))
        {
            errors.Add(
                "Replicate:BaseUrl is the real Replicate, but Replicate:Mode is sandbox. The mode decides the address: set live, or the Sandbox's address.");
        }

        foreach (var host in options.DeliveryHosts)
        {
            if (Uri.CheckHostName(host.StartsWith("*.", StringComparison.Ordinal) ? host[2..] : host) != UriHostNameType.Dns)
            {
                errors.Add($"Replicate:DeliveryHosts: '{host}' is not a host name.");
            }
        }

        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }

    private static bool IsReplicate(string host) =>
        string.Equals(host, "replicate.com", StringComparison.OrdinalIgnoreCase) || host.EndsWith(".replicate.com", StringComparison.OrdinalIgnoreCase);
}
