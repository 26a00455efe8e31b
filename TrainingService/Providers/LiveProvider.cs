using Flurrty.TrainingService.Webhooks;
using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Providers;

/// <summary>Registered for each provider that is the real one.</summary>
internal sealed record LiveProvider(string Name);

/// <summary>A real provider calls from outside.</summary>
internal sealed class LiveProviderRules(IEnumerable<LiveProvider> live) : IValidateOptions<WebhookOptions>
{
    public ValidateOptionsResult Validate(string? name, WebhookOptions options)
    {
        if (options.PublicBaseUrl is not { IsAbsoluteUri: true, Scheme: "http" or "https" } url || !live.Any())
        {
            return ValidateOptionsResult.Success;
        }

        var errors = new List<string>();
        if (url.Scheme is not "https")
        {
            errors.Add("PublicBaseUrl must be https: a live provider sends its webhooks nowhere else.");
        }

        if (url.IsLoopback)
        {
            errors.Add("PublicBaseUrl must not be this machine's own: a live provider cannot reach it. Leave it empty to go without webhooks.");
        }

        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }
}
