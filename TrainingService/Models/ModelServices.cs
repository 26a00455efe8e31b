namespace Flurrty.TrainingService.Models;

internal static class ModelServices
{
    /// <summary>Adds the fetching and checking of models.</summary>
    public static void AddModels(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOptions<ModelOptions>().BindConfiguration(ModelOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddSingleton<ModelFetch>();
    }
}
