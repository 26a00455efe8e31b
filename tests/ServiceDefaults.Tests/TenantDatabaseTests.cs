using System.Net;
using System.Net.Sockets;
using Flurrty.ServiceDefaults.Data;
using Microsoft.AspNetCore.Builder;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Npgsql;

namespace Flurrty.ServiceDefaults.Tests;

public sealed class TenantDatabaseTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Health_DatabaseThatIsAway_IsUnhealthy()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        listener.Stop();
        await using var app = Build($"Host=127.0.0.1;Port={port};Username=x;Password=x");
        var report = await app.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync().WaitAsync(Deadline);
        Assert.Equal(
            [("NotesContext", HealthStatus.Unhealthy), ("self", HealthStatus.Healthy), ("shutdown", HealthStatus.Healthy)],
            report.Entries.OrderBy(static entry => entry.Key, StringComparer.Ordinal).Select(static entry => (entry.Key, entry.Value.Status)));
    }

    [Fact]
    public async Task Roles_EachHaveADataSourceOfTheirOwn()
    {
        await using var app = Build("Host=127.0.0.1;Username=notes_app");
        await using var scope = app.Services.CreateAsyncScope();
        Assert.Contains("notes_app", app.Services.GetRequiredService<NpgsqlDataSource>().ConnectionString, StringComparison.Ordinal);
        Assert.Contains("notes_dispatcher", app.Services.GetRequiredKeyedService<NpgsqlDataSource>(Dispatcher.Key).ConnectionString, StringComparison.Ordinal);
        var context = scope.ServiceProvider.GetRequiredService<NotesContext>();
        Assert.Contains("notes_app", context.Database.GetConnectionString(), StringComparison.Ordinal);
        Assert.False(context.Database.CreateExecutionStrategy().RetriesOnFailure);
        Assert.Equal("photo_set_id", context.Model.FindEntityType(typeof(Note))!.GetProperty(nameof(Note.PhotoSetId)).GetColumnName());
    }

    private static WebApplication Build(string connection)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["ConnectionStrings:notes"] = connection,
            ["ConnectionStrings:notes-dispatcher"] = "Host=127.0.0.1;Username=notes_dispatcher",
        });
        builder.AddServiceDefaults();
        builder.AddTenantDatabase<NotesContext>("notes");
        return builder.Build();
    }

    private sealed class Note
    {
        public Guid Id { get; init; }

        public Guid PhotoSetId { get; init; }
    }

    private sealed class NotesContext(DbContextOptions<NotesContext> options) : DbContext(options)
    {
        public DbSet<Note> Notes => Set<Note>();
    }
}
