using Flurrty.Architecture.Tests.Planted.West;

namespace Flurrty.Architecture.Tests.Planted.East;

/// <summary>Half of the smallest circle of folders.</summary>
internal interface IDay
{
    INight Before { get; }
}
