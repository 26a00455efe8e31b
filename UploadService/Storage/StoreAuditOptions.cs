using System.ComponentModel.DataAnnotations;

namespace Flurrty.UploadService.Storage;

/// <summary>Configuration section <c>StoreAudit</c>: how often rows and objects are compared.</summary>
public sealed class StoreAuditOptions
{
    /// <summary>How often the whole store is listed to find objects without row.</summary>
    [Range(typeof(TimeSpan), "00:10:00", "30.00:00:00")]
    public TimeSpan ObjectsEvery { get; set; } = TimeSpan.FromHours(6);

    /// <summary>How often each photo's object is looked for.</summary>
    [Range(typeof(TimeSpan), "00:10:00", "90.00:00:00")]
    public TimeSpan PhotosEvery { get; set; } = TimeSpan.FromDays(7);

    /// <summary>How long an object must have been missing, in at least two looks, before its row is given up.</summary>
    [Range(typeof(TimeSpan), "00:10:00", "30.00:00:00")]
    public TimeSpan MissingGrace { get; set; } = TimeSpan.FromHours(24);
}
