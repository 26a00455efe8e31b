using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Webhooks;

/// <summary>Where providers reach us from outside; without it no webhook is asked for.</summary>
internal sealed class WebhookOptions
{
    public Uri? PublicBaseUrl { get; set; }
}

internal sealed class WebhookOptionsRules : IValidateOptions<WebhookOptions>
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

        return url.UserInfo.Length > 0 || url.Query.Length > 0 || url.Fragment.Length > 0
            ? ValidateOptionsResult.Fail("PublicBaseUrl must hold neither user info nor a query.")
            : ValidateOptionsResult.Success;
    }
}

/// <summary>Makes the URLs that providers send webhooks to. Each is a secret.</summary>
internal sealed class WebhookAddress(IOptions<WebhookOptions> options)
{
    private readonly Uri? _base = options.Value.PublicBaseUrl is { } url ? new Uri(url.AbsoluteUri.TrimEnd('/') + "/") : null;

    public Uri For(string provider, WebhookToken token) =>
        new(_base ?? throw new InvalidOperationException("There is no PublicBaseUrl."), $"webhooks/{provider}/{token.Text}");
}
