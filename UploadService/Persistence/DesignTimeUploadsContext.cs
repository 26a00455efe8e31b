using Flurrty.ServiceDefaults.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;

namespace Flurrty.UploadService.Persistence;

/// <summary>Lets <c>dotnet ef migrations add</c> build the model without a database or the service's configuration.</summary>
internal sealed class DesignTimeUploadsContext : IDesignTimeDbContextFactory<UploadsContext>
{
    public UploadsContext CreateDbContext(string[] args) =>
        new(new DbContextOptionsBuilder<UploadsContext>().UseNpgsql("Host=design-time").UseTenantNames().Options);
}
