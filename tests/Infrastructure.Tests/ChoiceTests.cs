using System.Diagnostics;

namespace Flurrty.Infrastructure.Tests;

/// <summary>What eng/infrastructure.sh says for the machine that the tests run on, where all Debian packages are installed.</summary>
public sealed class ChoiceTests : IDisposable
{
    private const string Nobody = "65534";

    private readonly DirectoryInfo _checkout = Directory.CreateTempSubdirectory("flurrty-test-");

    public ChoiceTests()
    {
        File.SetUnixFileMode(_checkout.FullName, _checkout.UnixFileMode | UnixFileMode.OtherRead | UnixFileMode.OtherExecute);
        Directory.CreateDirectory(Path.Combine(_checkout.FullName, "eng"));
        foreach (var script in Directory.EnumerateFiles(Path.Combine(NativeInfrastructure.Repository.Root, "eng"), "*.sh"))
        {
            File.Copy(script, Path.Combine(_checkout.FullName, "eng", Path.GetFileName(script)));
        }
    }

    public void Dispose() => _checkout.Delete(recursive: true);

    [Fact]
    public async Task Choice_OfAnOrdinaryUserWithoutTheUnpackedStore_IsToUnpackIt()
    {
        Assert.Equal("installable", await ChooseAsync());

        Directory.CreateDirectory(Path.Combine(_checkout.FullName, "artifacts", "swift", "swift-2.35.0"));
        Assert.Equal("native", await ChooseAsync());
    }

    /// <summary>Runs the script as somebody who may not become root.</summary>
    private async Task<string> ChooseAsync()
    {
        var script = Path.Combine(_checkout.FullName, "eng", "infrastructure.sh");
        var start = Environment.UserName == "root"
            ? new ProcessStartInfo("setpriv", ["--reuid", Nobody, "--regid", Nobody, "--clear-groups", "--no-new-privs", script])
            : new ProcessStartInfo("setpriv", ["--no-new-privs", script]);
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        start.Environment["HOME"] = _checkout.FullName;
        using var process = Process.Start(start)!;
        var said = process.StandardOutput.ReadToEndAsync();
        var complained = process.StandardError.ReadToEndAsync();
        using var deadline = new CancellationTokenSource(Deadline.Journey);
        await process.WaitForExitAsync(deadline.Token);
        Assert.True(process.ExitCode == 0, $"It ended with {process.ExitCode}: {await complained}");
        return (await said).Trim();
    }
}
