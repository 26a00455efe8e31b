using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;

namespace Flurrty.ServiceDefaults.Tests;

public sealed class ProtectionKeysTests
{
    [Fact]
    public async Task Start_OfAServiceWithAuthentication_WritesNoKeyBelowHome()
    {
        var home = Directory.CreateTempSubdirectory("flurrty-home-");
        var before = Environment.GetEnvironmentVariable("HOME");
        Environment.SetEnvironmentVariable("HOME", home.FullName);
        try
        {
            Assert.NotEmpty(await KeysBelowAsync(home, static _ => { }));
            foreach (var left in home.EnumerateDirectories())
            {
                left.Delete(recursive: true);
            }

            Assert.Empty(await KeysBelowAsync(home, static builder => builder.AddServiceDefaults()));
        }
        finally
        {
            Environment.SetEnvironmentVariable("HOME", before);
            home.Delete(recursive: true);
        }
    }

    private static async Task<FileInfo[]> KeysBelowAsync(DirectoryInfo home, Action<WebApplicationBuilder> configure)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddDataProtection();
        configure(builder);
        await using var app = builder.Build();
        await app.StartAsync();
        _ = app.Services.GetRequiredService<IDataProtectionProvider>().CreateProtector("test").Protect([1]);
        await app.StopAsync();
        return home.GetFiles("key-*.xml", SearchOption.AllDirectories);
    }
}
