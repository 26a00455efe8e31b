using Flurrty.TrainingService.Providers;
using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Webhooks;

/// <summary>Where providers reach us from outside; without it no webhook is asked for.</summary>
internal sealed class WebhookOptions
{
    public Uri? PublicBaseUrl { get; set; }
}

internal sealed class WebhookOptionsRules(IEnumerable<LiveProvider> live) : IValidateOptions<WebhookOptions>
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

        var errors = new List<string>();
        if (url.UserInfo.Length > 0 || url.Query.Length > 0 || url.Fragment.Length > 0)
        {
            errors.Add("PublicBaseUrl must hold neither user info nor a query.");
        }

        if (live.Any())
        {
            if (url.Scheme is not "https")
            {
                errors.Add("PublicBaseUrl must be https: a live provider sends its webhooks nowhere else.");
            }

            if (url.IsLoopback)
            {
                errors.Add("PublicBaseUrl must not be this machine's own: a live provider cannot reach it. Leave it empty to go without webhooks.");
            }
        }

        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }
}

/// <summary>Makes the URLs that providers send webhooks to. Each is a secret.</summary>
internal sealed class WebhookAddress(IOptions<WebhookOptions> options)
{
    private readonly Uri? _base = options.Value.PublicBaseUrl is { } url ? new Uri(url.AbsoluteUri.TrimEnd('/') + "/") : null;

    public Uri ForReplicate(WebhookToken token) =>
        new(_base ?? throw new InvalidOperationException("There is no PublicBaseUrl."), $"webhooks/replicate/{token.Text}");
}
