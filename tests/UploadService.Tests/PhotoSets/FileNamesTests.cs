using Flurrty.UploadService.PhotoSets;

namespace Flurrty.UploadService.Tests.PhotoSets;

public sealed class FileNamesTests
{
    [Theory]
    [InlineData("Dad at the sea.JPG", "Dad at the sea.JPG")]
    [InlineData("../../etc/passwd", "passwd")]
    [InlineData("C:\\photos\\me.png", "me.png")]
    [InlineData("evil\u202Egpj.exe", "evilgpj.exe")]
    [InlineData("line\r\nbreak\0.jpg", "linebreak.jpg")]
    [InlineData("Größe 📷.jpg", "Größe 📷.jpg")]
    [InlineData("   ", null)]
    [InlineData("/", null)]
    [InlineData(null, null)]
    public void Clean_SentName_ShowsNothingHarmful(string? sent, string? expected) => Assert.Equal(expected, FileNames.Clean(sent));

    [Fact]
    public void Clean_LongName_IsCutBetweenCharacters()
    {
        var cut = FileNames.Clean(string.Concat(Enumerable.Repeat("📷", 300)));
        Assert.Equal(Photo.LongestFileName, cut!.Length);
        Assert.DoesNotContain("\uFFFD", cut, StringComparison.Ordinal);
        Assert.False(char.IsHighSurrogate(cut[^1]));
    }
}
