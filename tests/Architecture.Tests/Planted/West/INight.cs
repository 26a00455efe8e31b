using Flurrty.Architecture.Tests.Planted.East;

namespace Flurrty.Architecture.Tests.Planted.West;

/// <summary>The other half.</summary>
internal interface INight
{
    IDay Before { get; }
}
