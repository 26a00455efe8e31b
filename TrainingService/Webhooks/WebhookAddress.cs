using Flurrty.TrainingService.Providers.Replicate;
using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Webhooks;

/// <summary>Where providers reach us from outside; without it no webhook is asked for.</summary>
internal sealed class WebhookOptions
{
    public Uri? PublicBaseUrl { get; set; }
}

internal sealed class WebhookOptionsRules(IOptions<ReplicateOptions> replicate) : IValidateOptions<WebhookOptions>
{
    public ValidateOptionsResult Validate(string? name, WebhookOptions options)
    {
        if (options.PublicBaseUrl is not { } url)
        {
            return ValidateOptionsResult.Success;
        }

        if (!url.IsAbsoluteUri || url.Scheme is not ("http" or "https"))
        {
            return ValidateOptionsResult.Fail("PublicBaseUrl must be an absolute http or https URL.");
        }

        return url.Scheme is "http" && replicate.Value.BaseUrl.Scheme is "https"
            ? ValidateOptionsResult.Fail("PublicBaseUrl must be https: a provider outside sends its webhooks nowhere else.")
            : ValidateOptionsResult.Success;
    }
}

/// <summary>Makes the URLs that providers send webhooks to. Each is a secret.</summary>
internal sealed class WebhookAddress(IOptions<WebhookOptions> options)
{
    private readonly Uri? _base = options.Value.PublicBaseUrl is { } url ? new Uri(url.AbsoluteUri.TrimEnd('/') + "/") : null;

    public bool IsConfigured => _base is not null;

    public Uri ForReplicate(WebhookToken token) =>
        new(_base ?? throw new InvalidOperationException("There is no PublicBaseUrl."), $"webhooks/replicate/{token.Text}");
}
