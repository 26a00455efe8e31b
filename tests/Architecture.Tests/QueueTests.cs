using System.Reflection;
using Flurrty.Messaging;
using MassTransit;
using MassTransit.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Flurrty.Architecture.Tests;

/// <summary>An operator sees the dead letters of the queues that Messaging names: it names every one that a service consumes from.</summary>
public sealed class QueueTests
{
    // What adds the consumers of each service.
    private static readonly (string Assembly, string Type, string Method)[] Services =
    [
        ("UploadService", "UploadServiceExtensions", "AddDatasets"),
        ("TrainingService", "Trainings.TrainingServices", "AddTrainings"),
        ("RegistryService", "Versions.VersionServices", "AddVersions"),
    ];

    [Fact]
    public async Task Queues_OfEveryConsumer_AreNamedOnce()
    {
        var consumers = 0;
        var queues = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var (name, type, method) in Services)
        {
            var assembly = Assembly.LoadFrom(Path.Combine(AppContext.BaseDirectory, $"Flurrty.{name}.dll"));
            var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
            builder.Configuration["ConnectionStrings:messaging"] = "amqp://nobody:nothing@127.0.0.1:1/";
            _ = assembly.GetType($"Flurrty.{name}.{type}", throwOnError: true)!.GetMethod(method)!.Invoke(obj: null, [builder]);

            // Nothing is started: only what is registered is asked.
            await using var provider = builder.Services.BuildServiceProvider();
            var context = provider.GetRequiredService<IBusRegistrationContext>();
            var registrations = provider.GetServices<IConsumerRegistration>().ToArray();
            var declared = assembly.GetTypes().Concat(typeof(Queues).Assembly.GetTypes()).Count(static candidate => !candidate.IsAbstract && candidate.IsAssignableTo(typeof(IConsumer)));
            Assert.True(declared == registrations.Length, $"{name} has {declared} consumers and registers {registrations.Length}.");
            consumers += registrations.Length;
            queues.UnionWith(registrations.Select(registration => registration.GetDefinition(context).GetEndpointName(provider.GetRequiredService<IEndpointNameFormatter>())));
        }

        Assert.True(consumers > queues.Count, "The events of a service share a queue.");
        Assert.Equal(queues, Queues.Consumed.Order(StringComparer.Ordinal));
    }
}
