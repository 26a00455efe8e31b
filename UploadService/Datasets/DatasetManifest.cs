using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Flurrty.UploadService.PhotoSets;

namespace Flurrty.UploadService.Datasets;

/// <summary>What a dataset consists of, in its order, and the hash that names this content.</summary>
internal static class DatasetManifest
{
    private const string TriggerMark = "{trigger}";
    private const string DefaultCaption = "a photo of " + TriggerMark;

    // Changes when the zip's form does: an old dataset is not taken for the new content then.
    private const string Form = "flurrty-dataset-1";

    /// <summary>The photo's text in the dataset: its own caption or the default, with the trigger word in it.</summary>
    public static string CaptionOf(string? caption, string triggerWord)
    {
        var text = (string.IsNullOrWhiteSpace(caption) ? DefaultCaption : caption).Replace(TriggerMark, triggerWord, StringComparison.Ordinal);
        return text.Contains(triggerWord, StringComparison.Ordinal) ? text : $"{triggerWord}, {text}";
    }

    /// <summary>The order of the photos: by content, so that it does not matter how the set was filled.</summary>
    public static IEnumerable<Photo> Order(IEnumerable<Photo> photos) =>
        photos.OrderBy(static photo => photo.Sha256, StringComparer.Ordinal).ThenBy(static photo => photo.Caption, StringComparer.Ordinal).ThenBy(static photo => photo.Id);

    /// <summary>Stem of an entry's two files.</summary>
    public static string Stem(int position) => position.ToString("D3", CultureInfo.InvariantCulture);

    /// <summary>SHA-256 over everything that decides the zip's bytes, lower-case hex.</summary>
    public static string HashOf(IEnumerable<SealedPhoto> photos)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(Form));
        foreach (var photo in photos)
        {
            // Lengths keep one caption's end from being another's beginning.
            var caption = Encoding.UTF8.GetBytes(photo.Caption);
            hash.AppendData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"\n{Stem(photo.Position)} {photo.Sha256} {photo.Bytes} {caption.Length} ")));
            hash.AppendData(caption);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
