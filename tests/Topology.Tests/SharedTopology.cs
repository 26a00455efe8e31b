namespace Flurrty.Topology.Tests;

/// <summary>One topology as anybody starts it, for the tests that leave it as they found it.</summary>
public sealed class SharedTopology : IAsyncLifetime
{
    /// <summary>What the executable "loud" logs: every test over a topology fails on an error that it does not expect, so one is planted to be seen.</summary>
    internal const string PlantedError = "something broke on purpose";

    internal RunningTopology Topology { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Topology = await RunningTopology.StartAsync(static builder =>
        {
            builder.AddExecutable("loud", "sh", "/", "-c", $"printf 'fail: Planted[1]\\n      {PlantedError}\\n'");
            return Task.CompletedTask;
        });
        Topology.ExpectErrors($"^loud: .*{PlantedError}");
    }

    public async Task DisposeAsync() => await Topology.DisposeAsync();
}

[CollectionDefinition(Name)]
public sealed class SharedTopologyTests : ICollectionFixture<SharedTopology>
{
    internal const string Name = "Shared topology";
}
