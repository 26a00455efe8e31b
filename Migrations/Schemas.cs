using Flurrty.RegistryService.Persistence;
using Flurrty.TrainingService.Persistence;
using Flurrty.UploadService.Persistence;

namespace Flurrty.Migrations;

/// <summary>The schemas of the system: one for each service that has a database.</summary>
internal static class Schemas
{
    public static IReadOnlyList<Schema> All { get; } =
    [
        Schema.Of<RegistryDbContext>("registry", options => new RegistryDbContext(options)),
        Schema.Of<TrainingContext>("training", options => new TrainingContext(options)),
        Schema.Of<UploadsContext>("uploads", options => new UploadsContext(options)),
    ];
}
