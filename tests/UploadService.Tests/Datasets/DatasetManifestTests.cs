using Flurrty.UploadService.Datasets;

namespace Flurrty.UploadService.Tests.Datasets;

public sealed class DatasetManifestTests
{
    [Theory]
    [InlineData(null, "a photo of TOK")]
    [InlineData("", "a photo of TOK")]
    [InlineData("TOK in a red coat", "TOK in a red coat")]
    [InlineData("{trigger} in a red coat", "TOK in a red coat")]
    [InlineData("in a red coat", "TOK, in a red coat")]
    public void Caption_OfAPhoto_HasTheTriggerWord(string? caption, string expected) => Assert.Equal(expected, DatasetManifest.CaptionOf(caption, "TOK"));

    [Fact]
    public void Hash_OfTheContent_ChangesWithEverythingThatIsInTheZip()
    {
        var photos = new[] { Photo(1, "aa", "one"), Photo(2, "bb", "two") };
        var hash = DatasetManifest.HashOf(photos);
        Assert.Equal(hash, DatasetManifest.HashOf([Photo(1, "aa", "one"), Photo(2, "bb", "two")]));
        foreach (var other in new[]
        {
            [Photo(1, "ab", "one"), Photo(2, "bb", "two")],
            [Photo(1, "aa", "ONE"), Photo(2, "bb", "two")],
            [Photo(1, "aa", "one")],
            new[] { Photo(1, "bb", "two"), Photo(2, "aa", "one") },
        })
        {
            Assert.NotEqual(hash, DatasetManifest.HashOf(other));
        }
    }

    [Fact]
    public void Hash_OfTheContent_DoesNotDependOnWhoseOrWhichPhotosTheyAre() =>
        Assert.Equal(DatasetManifest.HashOf([Photo(1, "aa", "one")]), DatasetManifest.HashOf([Photo(1, "aa", "one")]));

    private static SealedPhoto Photo(int position, string sha256, string caption) => new()
    {
        SealId = Guid.NewGuid(),
        Position = position,
        AccountId = Guid.NewGuid(),
        PhotoId = Guid.NewGuid(),
        ObjectKey = $"{Guid.NewGuid()}",
        Bytes = 100,
        Sha256 = sha256,
        Crc32 = 1,
        Caption = caption,
    };
}
