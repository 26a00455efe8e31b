using System.Collections.Frozen;

namespace Flurrty.RegistryService.Versions;

/// <summary>Turns the code of a failed training into a sentence that tells the person what to do.</summary>
internal static class FailureSentences
{
    public const string Unknown = "training_failed";
    private const string DatasetRefused = "dataset_refused";

    private static readonly FrozenDictionary<string, string> ByCode = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["provider_credentials_refused"] =
            "The training provider does not accept our credentials, so nothing was uploaded, trained or charged. Check the provider's API token, then create the identity again.",
        ["provider_mode_changed"] =
            "The training was begun in the Sandbox and is not continued at the real provider, so nothing was charged. Create the identity again to train it there.",
        ["provider_authentication"] =
            "The training provider stopped accepting our credentials. Check the provider's API token and its list of trainings, where one may have run and been charged, then create the identity again.",
        ["provider_access_lost"] =
            "The training provider did not let us at the training that it runs or has run, and charges for. Check the provider's API token and its credit, then retry: the same training is followed, and none is bought again.",
        ["provider_payment_required"] =
            "The training provider's account had no credit, so nothing was trained or charged. Add credit there, then create the identity again.",
        ["provider_rejected_input"] =
            "The training provider refused the training's parameters or photos. Try the standard preset without parameters of your own; if that is refused too, replace the photos.",
        ["provider_rate_limited"] =
            "The training provider kept asking us to slow down and we gave up. Nothing is wrong with your photos: create the identity again in a few minutes.",
        ["provider_unavailable"] =
            "The training provider could not be reached for a long time. Nothing is wrong with your photos: create the identity again later.",
        ["provider_timeout"] =
            "The training took far longer than it should, so its end was asked for; the provider may charge for the time it ran. Create the identity again; with fewer steps it ends sooner.",
        ["provider_run_vanished"] =
            "The training provider no longer knows the training that it had accepted, and may have charged for it. Check its list of trainings, then create the identity again.",
        ["unknown_run"] =
            "It could not be found out whether the training provider had started the training, and it was not started twice so as not to charge twice. "
            + "Look at the provider's own list of trainings, then create the identity again.",
        ["model_invalid"] =
            "The training ended and was charged, but the model it gave is damaged or empty. Create the identity again; if it happens twice, choose another preset.",
        ["model_download_failed"] =
            "The training ended and was charged, but its model could not be fetched from the provider. Try again: the same training's model is fetched, and none is bought again.",
        [DatasetRefused] =
            "The photos could not be made ready for training. Check that the set has 3 to 40 photos that open, then create the identity again.",
        [Unknown] =
            "The training failed at the provider. Create the identity again; if it fails twice, try the standard preset or other photos.",
        ["canceled"] =
            "The training was canceled before it ended. Create the identity again if you still want it.",
    }.ToFrozenDictionary(StringComparer.Ordinal);

    public static IEnumerable<string> Codes => ByCode.Keys;

    public static string For(string code)
    {
        if (ByCode.TryGetValue(code, out var sentence))
        {
            return sentence;
        }

        // A refused dataset names its own reason behind its code.
        return code.StartsWith(DatasetRefused, StringComparison.Ordinal) ? ByCode[DatasetRefused] : ByCode[Unknown];
    }
}
