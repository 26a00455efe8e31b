namespace Flurrty.TrainingService.Providers;

/// <summary>The result of the last check of a provider's credential.</summary>
internal enum AccessState
{
    Unchecked,
    Accepted,
    Refused,
    Unreachable,
}

/// <summary>Whether a provider lets us in.</summary>
/// <param name="State">The result of the last check.</param>
/// <param name="Detail">Whose account it is, or why not; never a secret.</param>
internal sealed record ProviderAccess(AccessState State, string Detail)
{
    public static ProviderAccess Unchecked { get; } = new(AccessState.Unchecked, string.Empty);
}
