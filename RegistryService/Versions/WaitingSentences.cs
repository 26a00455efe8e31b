namespace Flurrty.RegistryService.Versions;

/// <summary>Turns what a training waits for into a sentence that tells the person what to do.</summary>
internal static class WaitingSentences
{
    public static string For(string reason) => reason switch
    {
        "credentials_refused" =>
            "The training provider does not accept our credentials. The training goes on by itself once the provider's API token is valid again; a run that is already there goes on meanwhile.",
        "payment_required" =>
            "The training provider's account has no money left. The training goes on by itself once there is credit again.",
        _ => "The training waits for the provider and goes on by itself.",
    };
}
