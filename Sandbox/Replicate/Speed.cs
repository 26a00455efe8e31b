using Microsoft.Extensions.Options;

namespace Flurrty.Sandbox.Replicate;

/// <summary>How long the next training takes.</summary>
internal sealed class Speed(IOptions<SandboxOptions> options)
{
    private double _seconds = options.Value.SecondsPerTraining;

    public double SecondsPerTraining
    {
        get => Volatile.Read(ref _seconds);
        set => Volatile.Write(ref _seconds, value);
    }
}
