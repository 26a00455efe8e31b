namespace Flurrty.TrainingService.Jobs;

/// <summary>What a job waits for that somebody must mend at the provider. It goes on by itself when that is done.</summary>
internal enum WaitingReason
{
    /// <summary>The provider does not accept the credentials.</summary>
    CredentialsRefused,

    /// <summary>The provider's account has no money.</summary>
    PaymentRequired,
}

internal static class WaitingReasons
{
    /// <summary>The reason as messages, rows and answers spell it.</summary>
    public static string ToText(this WaitingReason reason) => reason switch
    {
        WaitingReason.CredentialsRefused => "credentials_refused",
        WaitingReason.PaymentRequired => "payment_required",
    };

    public static WaitingReason Parse(string text) =>
        Enum.GetValues<WaitingReason>().First(reason => string.Equals(reason.ToText(), text, StringComparison.Ordinal));
}
