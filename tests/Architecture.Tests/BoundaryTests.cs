using System.Reflection;
using System.Xml.Linq;

namespace Flurrty.Architecture.Tests;

/// <summary>Who may know whom.</summary>
public sealed class BoundaryTests
{
    private static readonly string[] Services = ["Gateway", "UploadService", "TrainingService", "RegistryService"];

    public static TheoryData<string> Projects => [.. Services, "Contracts", "Messaging", "ServiceDefaults", "Sandbox"];

    [Fact]
    public void Contracts_ReferencesNothing()
    {
        Assert.Empty(ReferencesOf("Contracts/Contracts.csproj"));
        Assert.All(Load("Contracts").GetReferencedAssemblies(), reference => Assert.StartsWith("System.", reference.Name, StringComparison.Ordinal));
    }

    [Fact]
    public void Contracts_AreSealedRecordsWithoutBaseInAFolderPerOwner()
    {
        var messages = Load("Contracts").GetExportedTypes();
        Assert.NotEmpty(messages);
        Assert.All(messages, message =>
        {
            Assert.True(message.IsSealed, $"{message} is not sealed.");
            Assert.True(message.BaseType == typeof(object), $"{message} has a base class.");
            Assert.True(message.GetMethod("<Clone>$") is not null, $"{message} is no record.");
            Assert.Matches(@"^Flurrty\.Contracts\.[A-Z][A-Za-z]+$", message.Namespace);
        });
    }

    [Fact]
    public void Contracts_CarryOnlyIdsNumbersTimesAndCodes()
    {
        Type[] allowed = [typeof(Guid), typeof(string), typeof(int), typeof(long), typeof(double), typeof(bool), typeof(DateTimeOffset)];
        string[] personal = ["name", "caption", "url", "secret", "token", "ticket", "prompt", "trigger", "email"];
        foreach (var property in Load("Contracts").GetExportedTypes().SelectMany(message => message.GetProperties()))
        {
            Assert.Contains(Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType, allowed);
            Assert.DoesNotContain(personal, word => property.Name.Contains(word, StringComparison.OrdinalIgnoreCase));
        }
    }

    [Fact]
    public void Contracts_AllSayWhoseAndWhoseDoingTheyAre()
    {
        foreach (var message in Load("Contracts").GetExportedTypes())
        {
            foreach (var (name, type) in new[] { ("AccountId", typeof(Guid)), ("CausedBy", typeof(Guid)), ("JobId", typeof(Guid)), ("Revision", typeof(long)) })
            {
                Assert.True(message.GetProperty(name)?.PropertyType == type, $"{message} has no {name}.");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Projects))]
    public void Project_NeverReferencesAService(string project)
    {
        var others = Services.Where(service => service != project).ToArray();
        Assert.Empty(ReferencesOf($"{project}/{project}.csproj").Intersect(others, StringComparer.Ordinal));
        Assert.Empty(FlurrtyReferencesOf(Load(project)).Intersect(others.Select(name => $"Flurrty.{name}"), StringComparer.Ordinal));
    }

    [Fact]
    public void Sandbox_KnowsNothingOfFlurrty()
    {
        Assert.DoesNotContain(ReferencesOf("Sandbox/Sandbox.csproj"), reference => SourceTree.Files.Any(path => Path.GetFileName(path) == $"{reference}.csproj"));
        Assert.Empty(FlurrtyReferencesOf(Load("Sandbox")));
        var foreign = SourceTree.Texts.Where(path => path.StartsWith("Sandbox/", StringComparison.Ordinal) && path.EndsWith(".cs", StringComparison.Ordinal))
            .Where(path => SourceTree.Read(path).Replace("Flurrty.Sandbox", "", StringComparison.Ordinal).Contains("Flurrty.", StringComparison.Ordinal));
        Assert.Empty(foreign);
    }

    [Fact]
    public void GatewayRouting_DoesNotKnowAccounts()
    {
        const string Accounts = "Flurrty.Gateway.Accounts";
        var gateway = Load("Gateway");

        // The program puts the rooms together, so it shows that a use is found.
        Assert.Contains(Dependencies.Of(gateway.GetType("Program", throwOnError: true)!), type => type.Namespace == Accounts);
        var routing = gateway.GetTypes().Where(type => type.Namespace == "Flurrty.Gateway.Routing").ToArray();
        Assert.NotEmpty(routing);
        Assert.All(routing, type => Assert.DoesNotContain(Dependencies.Of(type), used => used.Namespace == Accounts));
    }

    [Fact]
    public void Provider_IsNamedInItsOwnFolderAndWhereProvidersAreListed()
    {
        var code = SourceTree.Files
            .Where(path => path.StartsWith("TrainingService/", StringComparison.Ordinal) && path.EndsWith(".cs", StringComparison.Ordinal))
            .Where(path => !path.Contains("/Migrations/", StringComparison.Ordinal))
            .ToArray();
        var providers = code.Where(path => path.StartsWith("TrainingService/Providers/", StringComparison.Ordinal))
            .Select(path => path.Split('/'))
            .Where(parts => parts.Length > 3)
            .Select(parts => parts[2])
            .Distinct(StringComparer.Ordinal)
            .ToArray();
        Assert.NotEmpty(providers);
        Assert.All(providers, provider => Assert.Equal(
            ["TrainingService/Providers/ProviderServices.cs"],
            code.Where(path => !path.StartsWith($"TrainingService/Providers/{provider}/", StringComparison.Ordinal))
                .Where(path => SourceTree.Read(path).Contains(provider, StringComparison.OrdinalIgnoreCase))));
    }

    private static IReadOnlyList<string> ReferencesOf(string project) =>
    [
        .. XDocument.Parse(SourceTree.Read(project)).Descendants()
            .Where(element => element.Name.LocalName is "ProjectReference" or "PackageReference" or "Reference")
            .Select(element => element.Attribute("Include")?.Value)
            .OfType<string>()
            .Select(include => include.EndsWith(".csproj", StringComparison.Ordinal) ? Path.GetFileNameWithoutExtension(include.Replace('\\', '/')) : include),
    ];

    private static IEnumerable<string> FlurrtyReferencesOf(Assembly assembly) =>
        assembly.GetReferencedAssemblies().Select(reference => reference.Name!).Where(name => name.StartsWith("Flurrty.", StringComparison.Ordinal));

    private static Assembly Load(string project) => Assembly.LoadFrom(Path.Combine(AppContext.BaseDirectory, $"Flurrty.{project}.dll"));
}
