namespace Flurrty.UploadService.Reports;

/// <summary>Where a look at the faces of a set's photos would be put: none, several, too small. See docs/adr/0009-faces.md.</summary>
internal interface IFaceFinder
{
    /// <summary>What the set's report says of the faces, as a stable code.</summary>
    string Summary { get; }
}

/// <summary>Looks at no face, and says so.</summary>
internal sealed class NoFaceFinder : IFaceFinder
{
    public string Summary => "not_looked_at";
}
