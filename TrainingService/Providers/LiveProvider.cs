namespace Flurrty.TrainingService.Providers;

/// <summary>Registered for each provider that is the real one.</summary>
internal sealed record LiveProvider(string Name);
