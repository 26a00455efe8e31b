using Microsoft.EntityFrameworkCore;

namespace Flurrty.RegistryService.Identities;

/// <summary>Loads identities with everything that <see cref="IdentityView"/> shows.</summary>
internal static class IdentityQueries
{
    public static IQueryable<Identity> WithVersions(this IQueryable<Identity> identities) =>
        identities.Include(identity => identity.Versions).ThenInclude(version => version.History).AsSplitQuery();
}
