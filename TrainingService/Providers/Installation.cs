using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Providers;

/// <summary>
/// Which installation this is. A provider's account may be shared by a laptop, a staging system and production: what carries this id there is ours,
/// everything else is foreign and left alone.
/// </summary>
internal sealed class InstallationOptions
{
    public const string Section = "Installation";

    /// <summary>A random UUID, made once and kept for as long as the databases are.</summary>
    public string? Id { get; set; }
}

internal sealed class InstallationOptionsRules : IValidateOptions<InstallationOptions>
{
    public ValidateOptionsResult Validate(string? name, InstallationOptions options) =>
        Guid.TryParse(options.Id, out var id) && id != Guid.Empty
            ? ValidateOptionsResult.Success
            : ValidateOptionsResult.Fail("Installation:Id must be a UUID that is made once for this installation and kept: uuidgen makes one.");
}

/// <summary>The id in the forms in which it is written at providers.</summary>
internal sealed class Installation(IOptions<InstallationOptions> options)
{
    public Guid Id { get; } = Guid.Parse(options.Value.Id!);

    /// <summary>The first eight digits, for names, which are short.</summary>
    public string Mark => Id.ToString("N")[..8];
}

/// <summary>Says at start which installation this is.</summary>
internal sealed partial class InstallationNotice(IServiceProvider services, ILogger<InstallationNotice> logger) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken)
    {
        LogId(logger, services.GetRequiredService<Installation>().Id);
        return Task.CompletedTask;
    }

    [LoggerMessage(EventId = 4121, Level = LogLevel.Information, Message = "This installation is {InstallationId}; what it makes at providers carries that id")]
    private static partial void LogId(ILogger logger, Guid installationId);
}
