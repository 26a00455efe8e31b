using Flurrty.TrainingService.Jobs;

namespace Flurrty.TrainingService.Providers;

/// <summary>The providers that are there, by name.</summary>
internal sealed class ProviderCatalog(IEnumerable<ITrainingProvider> providers)
{
    private readonly Dictionary<string, ITrainingProvider> _providers = providers.ToDictionary(static provider => provider.Name, StringComparer.Ordinal);

    /// <summary>The provider of this name.</summary>
    public ITrainingProvider this[string name] => _providers[name];

    /// <summary>The provider that a job asks for; null when there is none. With one provider there is nothing to weigh for <c>auto</c>.</summary>
    public ITrainingProvider? Find(string requested) =>
        string.Equals(requested, "auto", StringComparison.Ordinal) ? _providers.Values.FirstOrDefault() : _providers.GetValueOrDefault(requested);

    public ProviderMode ModeOf(string name) => _providers.TryGetValue(name, out var provider) ? provider.Mode : ProviderMode.Off;
}
