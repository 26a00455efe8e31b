using Flurrty.ServiceDefaults.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;

namespace Flurrty.RegistryService.Persistence;

/// <summary>Gives the dotnet-ef tool a context without starting the service.</summary>
internal sealed class RegistryDesignTime : IDesignTimeDbContextFactory<RegistryDbContext>
{
    public RegistryDbContext CreateDbContext(string[] args) => new(new DbContextOptionsBuilder<RegistryDbContext>().UseNpgsql().UseTenantNames().Options);
}
