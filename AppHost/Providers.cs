using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Configuration;

namespace Flurrty.AppHost;

/// <summary>Whether a provider is the real one, the Sandbox, or not there.</summary>
internal enum ProviderMode
{
    Off,
    Sandbox,
    Live,
}

/// <summary>A provider of GPUs as the topology knows it. Another provider is another row of <see cref="Known"/>.</summary>
/// <param name="Name">What callers, <c>--live</c> and the dashboard call it.</param>
/// <param name="Section">Its section in the configuration of AppHost, TrainingService and Sandbox.</param>
/// <param name="BaseUrl">The real address.</param>
/// <param name="CheckPath">What answers <paramref name="CheckStatus"/> to a caller without token, where the service is up.</param>
/// <param name="CheckStatus">See <paramref name="CheckPath"/>.</param>
/// <param name="TokenVariable">The environment variable in which its own tools expect the token; read in the mode live alone.</param>
/// <param name="TokenPrefix">How its tokens begin.</param>
/// <param name="TokenPage">Where tokens are made.</param>
/// <param name="SandboxPath">Its API at the Sandbox.</param>
internal sealed record Provider(
    string Name,
    string Section,
    Uri BaseUrl,
    string CheckPath,
    int CheckStatus,
    string TokenVariable,
    string TokenPrefix,
    Uri TokenPage,
    string SandboxPath)
{
    public static readonly IReadOnlyList<Provider> Known =
    [
        new Provider(
            "replicate", "Replicate", new("https://api.replicate.com/v1"), "/v1/account", 401,
            "REPLICATE_API_TOKEN", "r8_", new("https://replicate.com/account/api-tokens"), "/v1"),
    ];

    /// <summary>The parameter that holds its token.</summary>
    public string TokenParameter => $"{Name}-token";
}

/// <summary>A provider in its mode.</summary>
internal sealed record ProviderChoice(Provider Provider, ProviderMode Mode, Uri BaseUrl);

/// <summary>
/// Which providers are live, as the configuration says: <c>Providers:Replicate:Mode=live|sandbox|off</c>. The mode decides the address; a token never
/// does. With none live all are sandbox; as soon as one is live the others are off unless they are named.
/// </summary>
internal sealed record Providers(IReadOnlyList<ProviderChoice> All, IReadOnlyList<string> Errors)
{
    public const string PublicBaseUrl = "public-base-url";
    public const string StorePublicUrl = "store-public-url";

    private const string Section = "Providers";

    public bool AnyLive => All.Any(static choice => choice.Mode == ProviderMode.Live);

    public IEnumerable<Provider> InSandbox => All.Where(static choice => choice.Mode == ProviderMode.Sandbox).Select(static choice => choice.Provider);

    public static Providers Read(IConfiguration configuration)
    {
        var errors = new List<string>();
        var section = configuration.GetSection(Section);
        foreach (var child in section.GetChildren())
        {
            if (child.Value is not null && Provider.Known.FirstOrDefault(provider => Same(provider.Section, child.Key)) is { } known)
            {
                errors.Add($"{child.Path}={child.Value} does not say what of the provider it sets: say {Section}:{known.Section}:Mode={child.Value}.");
            }
            else if (child.Value is not null)
            {
                errors.Add($"{child.Path}={child.Value} says for no provider what it is. Name one: {Section}:{Provider.Known[0].Section}:{child.Key}={child.Value}.");
            }
            else if (!Provider.Known.Any(provider => Same(provider.Section, child.Key)))
            {
                errors.Add($"{child.Path}: there is no provider {child.Key} here. There is: {string.Join(", ", Provider.Known.Select(static provider => provider.Section))}.");
            }
            else
            {
                errors.AddRange(child.GetChildren().Where(static setting => !Same(setting.Key, "Mode") && !Same(setting.Key, "BaseUrl"))
                    .Select(static setting => $"{setting.Path} is not a setting of a provider. There is Mode and BaseUrl."));
            }
        }

        var named = Provider.Known.ToDictionary(static provider => provider, provider => ReadMode(section, provider, errors));
        var anyLive = named.ContainsValue(ProviderMode.Live);
        var choices = named.Select(pair =>
        {
            var mode = pair.Value ?? (anyLive ? ProviderMode.Off : ProviderMode.Sandbox);
            return new ProviderChoice(pair.Key, mode, ReadBaseUrl(section, pair.Key, mode, errors));
        });
        var result = new Providers([.. choices], errors);
        result.CheckPublicUrl(configuration, PublicBaseUrl, errors);
        result.CheckPublicUrl(configuration, StorePublicUrl, errors);
        return result;
    }

    private static bool Same(string one, string other) => string.Equals(one, other, StringComparison.OrdinalIgnoreCase);

    private static ProviderMode? ReadMode(IConfigurationSection section, Provider provider, List<string> errors)
    {
        var given = section.GetSection($"{provider.Section}:Mode");
        switch (given.Value?.Trim().ToLowerInvariant())
        {
            case null or "":
                return null;
            case "live":
                return ProviderMode.Live;
            case "sandbox":
                return ProviderMode.Sandbox;
            case "off":
                return ProviderMode.Off;
            default:
                errors.Add($"{section.Path}:{provider.Section}:Mode={given.Value} is not known: it is live, sandbox or off.");
                return null;
        }
    }

    private static Uri ReadBaseUrl(IConfigurationSection section, Provider provider, ProviderMode mode, List<string> errors)
    {
        var given = section[$"{provider.Section}:BaseUrl"];
        if (string.IsNullOrEmpty(given))
        {
            return provider.BaseUrl;
        }

        var name = $"{section.Path}:{provider.Section}:BaseUrl";
        if (mode != ProviderMode.Live)
        {
            errors.Add($"{name} is for the mode live alone: the mode decides the address.");
        }
        else if (!Uri.TryCreate(given, UriKind.Absolute, out var url) || url.Scheme != Uri.UriSchemeHttps || url.UserInfo.Length > 0 || url.Query.Length > 0)
        {
            errors.Add($"{name} must be an https URL without user info and query: the token goes there.");
        }
        else
        {
            return url;
        }

        return provider.BaseUrl;
    }

    private void CheckPublicUrl(IConfiguration configuration, string parameter, List<string> errors)
    {
        var given = configuration[$"Parameters:{parameter}"];
        if (string.IsNullOrEmpty(given))
        {
            return;
        }

        if (!Uri.TryCreate(given, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https") || url.UserInfo.Length > 0 || url.Query.Length > 0)
        {
            errors.Add($"Parameters:{parameter} must be an absolute http or https URL without user info and query.");
        }
        else if (AnyLive && (url.Scheme != Uri.UriSchemeHttps || url.IsLoopback))
        {
            errors.Add($"Parameters:{parameter} must be https and reachable from outside, because a provider is live. Leave it empty to go without.");
        }
    }
}

/// <summary>The Sandbox of a topology in which some provider is not the real one.</summary>
/// <param name="Project">The project.</param>
/// <param name="Tokens">The token of each provider that it plays, made for this topology.</param>
internal sealed record SandboxResource(IResourceBuilder<ProjectResource> Project, IReadOnlyDictionary<Provider, IResourceBuilder<ParameterResource>> Tokens);

internal static class ProviderExtensions
{
    /// <summary>Adds the Sandbox if some provider is in the mode sandbox.</summary>
    public static SandboxResource? AddSandbox(this IDistributedApplicationBuilder builder, Providers providers, DataDirectory data, Keys keys, bool isStrict)
    {
        if (!providers.InSandbox.Any())
        {
            return null;
        }

        var sandbox = builder.AddProject<Projects.Sandbox>("sandbox").WithHttpEndpoint()
            // It keeps people's photos there, as files with the modes that it happens to have.
            .WithEnvironment("Sandbox__DataDirectory", data.PrivateBelow("sandbox"))
            .WithEnvironment("Sandbox__Strict", isStrict ? "true" : "false")
            .WithEnvironment("Sandbox__SecondsPerTraining", builder.Configuration["Sandbox:SecondsPerTraining"] ?? "6")
            .WithEnvironment("Sandbox__AdminToken", keys.SandboxAdmin)
            .AsService("BotSparkle").WithSandboxCommands(keys.SandboxAdmin);
        var tokens = new Dictionary<Provider, IResourceBuilder<ParameterResource>>();
        foreach (var provider in providers.InSandbox)
        {
            // Not the parameter of the real token: that one never reaches the Sandbox.
            tokens[provider] = builder.AddParameter(
                $"sandbox-{provider.TokenParameter}", () => provider.TokenPrefix + keys.Development.Secret(provider.TokenParameter), secret: true);
            sandbox.WithEnvironment($"Sandbox__{provider.Section}__Tokens__0", tokens[provider]);
        }

        return new SandboxResource(sandbox, tokens);
    }

    /// <summary>Tells TrainingService the mode, address and token of every provider, and which installation this is.</summary>
    public static IResourceBuilder<ProjectResource> WithProviders(
        this IResourceBuilder<ProjectResource> training, Providers providers, SandboxResource? sandbox, Keys keys)
    {
        training.WithEnvironment("Installation__Id", keys.Development.RandomId("installation").ToString());
        foreach (var (provider, mode, baseUrl) in providers.All)
        {
            var section = provider.Section;
            training.WithEnvironment($"{section}__Mode", mode switch { ProviderMode.Live => "live", ProviderMode.Sandbox => "sandbox", _ => "off" });
            switch (mode)
            {
                case ProviderMode.Live:
                    training
                        .WithEnvironment($"{section}__BaseUrl", baseUrl.AbsoluteUri)
                        .WithEnvironment($"{section}__ApiToken", training.ApplicationBuilder.AddLiveToken(provider))
                        .WithReference(training.ApplicationBuilder.AddExternalService(provider.Name, baseUrl.GetLeftPart(UriPartial.Authority) + "/")
                            .WithHttpHealthCheck(provider.CheckPath, provider.CheckStatus)
                            .WithIconName("CloudBidirectional"));
                    break;
                case ProviderMode.Sandbox:
                    training
                        .WithEnvironment($"{section}__BaseUrl", ReferenceExpression.Create($"{sandbox!.Project.GetEndpoint("http")}{provider.SandboxPath}"))
                        .WithEnvironment($"{section}__ApiToken", sandbox.Tokens[provider])
                        .WaitFor(sandbox.Project);
                    break;
                default:
                    break;
            }
        }

        return training;
    }

    /// <summary>
    /// Where providers send webhooks: <c>public-base-url</c>. While all of them are the Sandbox, which runs here too, the gateway's own address will do;
    /// a strict Sandbox refuses that, as the real providers do. Without any, the driver looks by itself.
    /// </summary>
    public static IResourceBuilder<ProjectResource> WithPublicBaseUrl(
        this IResourceBuilder<ProjectResource> training, Providers providers, IResourceBuilder<ProjectResource> gateway, bool isStrict)
    {
        var url = training.ApplicationBuilder.AddOptionalParameter(
            Providers.PublicBaseUrl, "The gateway's address as providers reach it (https). Empty: no webhooks, trainings are looked at instead.");
        return string.IsNullOrEmpty(training.ApplicationBuilder.Configuration[$"Parameters:{Providers.PublicBaseUrl}"]) && !providers.AnyLive && !isStrict
            ? training.WithEnvironment("PublicBaseUrl", gateway.GetEndpoint("http"))
            : training.WithEnvironment("PublicBaseUrl", url);
    }

    /// <summary>Adds the address at which presigned URLs reach the store from outside to each connection: <c>store-public-url</c>.</summary>
    public static Infrastructure.InfrastructureResources WithStorePublicUrl(
        this IDistributedApplicationBuilder builder, Infrastructure.InfrastructureResources infrastructure)
    {
        var url = builder.AddOptionalParameter(
            Providers.StorePublicUrl, "The S3 store's address as callers and providers reach it. Empty: its own address, and datasets go by the provider's file upload.");
        return infrastructure with
        {
            StoreConnection = (user, bucket) => ReferenceExpression.Create($"{infrastructure.StoreConnection(user, bucket)};PublicUrl={url}"),
        };
    }

    [SuppressMessage("Usage", "ASPIREINTERACTION001", Justification = "The dashboard asks for a missing token by it.")]
    private static IResourceBuilder<ParameterResource> AddLiveToken(this IDistributedApplicationBuilder builder, Provider provider)
    {
        var key = $"Parameters:{provider.TokenParameter}";
        if (string.IsNullOrEmpty(builder.Configuration[key]) && builder.Configuration[provider.TokenVariable] is { Length: > 0 } token)
        {
            builder.Configuration[key] = token;
        }

        var description = $"{provider.Section}'s API token ({provider.TokenPrefix}…). Trainings there cost money. Tokens are made at [{provider.TokenPage}]({provider.TokenPage}).";
        return builder.AddParameter(provider.TokenParameter, secret: true)
            .WithDescription(description, enableMarkdown: true)
            .WithCustomInput(parameter => new InteractionInput
            {
                Name = parameter.Name,
                Label = $"{provider.Section} API token",
                InputType = InputType.SecretText,
                Placeholder = $"{provider.TokenPrefix}…",
                Description = description,
                EnableDescriptionMarkdown = true,
                Required = true,
            });
    }

    // A parameter without a value would be asked for; these may stay empty.
    private static IResourceBuilder<ParameterResource> AddOptionalParameter(this IDistributedApplicationBuilder builder, string name, string description) =>
        builder.AddParameter(name, () => builder.Configuration[$"Parameters:{name}"] ?? string.Empty).WithDescription(description);
}
