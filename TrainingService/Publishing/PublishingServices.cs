namespace Flurrty.TrainingService.Publishing;

internal static class PublishingServices
{
    /// <summary>Adds our own store of models.</summary>
    public static void AddPublishing(this IHostApplicationBuilder builder) => builder.Services.AddSingleton<ModelStore>();
}
