using Flurrty.ServiceDefaults.Problems;
using Flurrty.ServiceDefaults.Tickets;

namespace Flurrty.UploadService.Datasets;

/// <summary>Which service may call which internal endpoint.</summary>
internal static class InternalCallers
{
    public static void Require(Caller caller, string issuer)
    {
        if (!string.Equals(caller.Issuer, issuer, StringComparison.Ordinal))
        {
            throw new ProblemException(403, "forbidden", "The caller may not do this.", "This address is for another service.");
        }
    }
}
