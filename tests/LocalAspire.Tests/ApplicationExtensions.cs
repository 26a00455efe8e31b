using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;

namespace Flurrty.LocalAspire.Tests;

internal static class ApplicationExtensions
{
    /// <summary>What is known about a resource with one process, by name, or about a replica, by id.</summary>
    internal static CustomResourceSnapshot Snapshot(this DistributedApplication app, string id)
    {
        Assert.True(app.ResourceNotifications.TryGetCurrentState(id, out var known), $"nothing is known about {id}");
        return known.Snapshot;
    }

    internal static string? Property(this DistributedApplication app, string id, string name) =>
        app.Snapshot(id).Properties.SingleOrDefault(p => p.Name == name)?.Value?.ToString();

    internal static IReadOnlyList<string> ResourceIds(this DistributedApplication app, string name) =>
        app.Services.GetRequiredService<DistributedApplicationModel>().Resources.Single(r => r.Name == name).InstanceIds();

    internal static string LogOf(this DistributedApplication app, string name)
    {
        var loggers = app.Services.GetRequiredService<ResourceLoggerService>();
        return string.Join('\n', app.ResourceIds(name).SelectMany(id => loggers.Kept(id)).Select(l => l.Content));
    }
}
