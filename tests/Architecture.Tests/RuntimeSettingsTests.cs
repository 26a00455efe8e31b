using System.Text.Json;

namespace Flurrty.Architecture.Tests;

/// <summary>What the built programs tell the runtime: a property of a project file that is spelled wrong says nothing.</summary>
public sealed class RuntimeSettingsTests
{
    public static TheoryData<string> Programs => ["Gateway", "UploadService", "TrainingService", "RegistryService", "Sandbox", "Migrations", "ImagingChild"];

    [Theory]
    [MemberData(nameof(Programs))]
    public void Program_SharesASmallMachine_NoServerCollectorAndNoInstrumentedCode(string program)
    {
        using var file = File.OpenRead(Path.Combine(AppContext.BaseDirectory, $"Flurrty.{program}.runtimeconfig.json"));
        using var settings = JsonDocument.Parse(file);
        var properties = settings.RootElement.GetProperty("runtimeOptions").GetProperty("configProperties");
        Assert.False(properties.GetProperty("System.GC.Server").GetBoolean());
        Assert.False(properties.GetProperty("System.Runtime.TieredPGO").GetBoolean());
    }
}
