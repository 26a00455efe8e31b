using Microsoft.Extensions.Configuration;

namespace Flurrty.AppHost;

internal static class SettingsExtensions
{
    /// <summary>
    /// Gives the resource the AppHost's environment (Development, Production) and passes the configuration below <c>Settings:{resource}</c> on to that resource, so that a start can change any option of a service:
    /// <c>--Settings:uploads:Imaging:LongestSide=2048</c>.
    /// </summary>
    public static IResourceBuilder<ProjectResource> WithSettings(this IResourceBuilder<ProjectResource> project)
    {
        var environment = project.ApplicationBuilder.Environment.EnvironmentName;
        project.WithEnvironment("ASPNETCORE_ENVIRONMENT", environment).WithEnvironment("DOTNET_ENVIRONMENT", environment);
        var given = project.ApplicationBuilder.Configuration.GetSection($"Settings:{project.Resource.Name}");
        foreach (var (key, value) in ConfigurationExtensions.AsEnumerable(given, makePathsRelative: true))
        {
            if (value is not null)
            {
                project.WithEnvironment(key.Replace(":", "__", StringComparison.Ordinal), value);
            }
        }

        return project;
    }
}
