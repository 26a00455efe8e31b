using Flurrty.Contracts.Training;

namespace Flurrty.RegistryService.Versions;

/// <summary>Makes the command that asks for a version's training. Sending it again is harmless: the job has the version's id.</summary>
internal static class TrainingCommand
{
    private const long FirstRevision = 1;

    public static TrainIdentity For(IdentityVersion version) => new()
    {
        AccountId = version.AccountId,
        CausedBy = version.CausedBy,
        JobId = version.Id,
        Revision = FirstRevision,
        IdentityId = version.IdentityId,
        Provider = version.Provider,
        Preset = version.Preset,
        Steps = version.Steps,
        Rank = version.Rank,
        LearningRate = version.LearningRate,
        Resolution = version.Resolution,
    };
}
