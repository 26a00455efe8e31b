namespace Flurrty.UploadService.Storage;

/// <summary>Names of objects. They are made of ids alone; nothing that a person typed is in them.</summary>
internal static class ObjectKeys
{
    public static string Photo(Guid accountId, Guid photoSetId, Guid photoId) => $"{accountId:n}/{photoSetId:n}/{photoId:n}.jpg";

    public static string Thumbnail(Guid accountId, Guid photoSetId, Guid photoId) => $"{accountId:n}/{photoSetId:n}/{photoId:n}.thumbnail.jpg";

    /// <summary>Everything that is stored of a photo.</summary>
    public static string[] OfPhoto(Guid accountId, Guid photoSetId, Guid photoId, bool hasOriginal)
    {
        var (photo, thumbnail) = (Photo(accountId, photoSetId, photoId), Thumbnail(accountId, photoSetId, photoId));
        return hasOriginal ? [photo, thumbnail, Original(accountId, photoSetId, photoId)] : [photo, thumbnail];
    }

    /// <summary>The file as it was sent, where its set asks for that.</summary>
    public static string Original(Guid accountId, Guid photoSetId, Guid photoId) => $"{accountId:n}/{photoSetId:n}/{photoId:n}.original";

    /// <summary>Where the bytes of one upload wait until they are judged; no URL is ever made that reads from there.</summary>
    public static string Quarantine(Guid accountId, Guid uploadId) => $"quarantine/{accountId:n}/{uploadId:n}/";

    /// <summary>A key is never used twice, so a late removal cannot hit a later object.</summary>
    public static string Dataset(Guid accountId, Guid datasetId) => $"{accountId:n}/datasets/{datasetId:n}.zip";
}
