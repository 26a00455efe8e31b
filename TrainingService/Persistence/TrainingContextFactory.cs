using Flurrty.ServiceDefaults.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;

namespace Flurrty.TrainingService.Persistence;

/// <summary>Makes a context without a host, for <c>dotnet ef</c>.</summary>
internal sealed class TrainingContextFactory : IDesignTimeDbContextFactory<TrainingContext>
{
    public TrainingContext CreateDbContext(string[] args) =>
        new(new DbContextOptionsBuilder<TrainingContext>().UseNpgsql("Host=127.0.0.1;Database=training").UseTenantNames().Options);
}
