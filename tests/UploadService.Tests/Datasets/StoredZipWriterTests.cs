using System.IO.Compression;
using System.Security.Cryptography;
using Flurrty.UploadService.Datasets;
using Flurrty.UploadService.Storage;

namespace Flurrty.UploadService.Tests.Datasets;

public sealed class StoredZipWriterTests
{
    [Fact]
    public async Task Zip_OfTheSameEntries_HasTheSameBytes()
    {
        var (first, firstHash) = await WriteAsync(("001.jpg", Random(100_000, 1)), ("001.txt", "a photo of TOK"u8.ToArray()));
        var (second, secondHash) = await WriteAsync(("001.jpg", Random(100_000, 1)), ("001.txt", "a photo of TOK"u8.ToArray()));
        Assert.Equal(first, second);
        Assert.Equal((firstHash, firstHash), (secondHash, Convert.ToHexStringLower(SHA256.HashData(first))));
        var (other, _) = await WriteAsync(("001.jpg", Random(100_000, 1)), ("001.txt", "a photo of TOQ"u8.ToArray()));
        Assert.NotEqual(first, other);
    }

    [Fact]
    public async Task Zip_ReadByOthers_IsWholeAndStored()
    {
        var photo = Random(300_000, 2);
        var (zip, _) = await WriteAsync(("001.jpg", photo), ("001.txt", "one"u8.ToArray()), ("empty.txt", []));
        using (var archive = new ZipArchive(new MemoryStream(zip)))
        {
            Assert.Equal(["001.jpg", "001.txt", "empty.txt"], archive.Entries.Select(entry => entry.FullName));
            var content = new MemoryStream();
            await using var stream = await archive.Entries[0].OpenAsync();
            await stream.CopyToAsync(content);
            Assert.Equal(photo, content.ToArray());
        }

        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllBytesAsync(file, zip);
            var seen = Fixtures.TestPhotos.Run("/usr/bin/python3", ["-c", "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\nprint(z.testzip(), [(i.filename, i.compress_type, i.date_time[0]) for i in z.infolist()])", file]);
            Assert.Equal("None [('001.jpg', 0, 1980), ('001.txt', 0, 1980), ('empty.txt', 0, 1980)]", seen.Trim());
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 0)]
    [InlineData(-1, 0)]
    public async Task Entry_ThatIsNotAsAnnounced_IsRefused(int lengthOff, int crcOff)
    {
        var content = Random(5000, 3);
        using var zip = new StoredZipWriter(new MemoryStream());
        await zip.AddAsync("right.jpg", content.Length, Crc32.Of(content), new MemoryStream(content), CancellationToken.None);
        await Assert.ThrowsAsync<InvalidDataException>(
            () => zip.AddAsync("wrong.jpg", content.Length + lengthOff, Crc32.Of(content) + (uint)crcOff, new MemoryStream(content), CancellationToken.None));
    }

    [Fact]
    public void Crc32_OfTheCheckString_IsTheStandardsValue()
    {
        Assert.Equal(0xCBF43926u, Crc32.Of("123456789"u8));
        Assert.Equal(0u, Crc32.Of([]));

        // However it is cut into pieces.
        var bytes = Random(1000, 4);
        for (var cut = 0; cut < 20; cut++)
        {
            var crc = default(Crc32);
            crc.Append(bytes.AsSpan(0, cut));
            crc.Append(bytes.AsSpan(cut));
            Assert.Equal(Crc32.Of(bytes), crc.Value);
        }
    }

    private static async Task<(byte[] Zip, string Hash)> WriteAsync(params (string Name, byte[] Content)[] entries)
    {
        var output = new MemoryStream();
        using var zip = new StoredZipWriter(output);
        foreach (var (name, content) in entries)
        {
            await zip.AddAsync(name, content.Length, Crc32.Of(content), new MemoryStream(content), CancellationToken.None);
        }

        var hash = await zip.FinishAsync(CancellationToken.None);
        Assert.Equal(output.Length, zip.Length);
        return (output.ToArray(), hash);
    }

    private static byte[] Random(int length, int seed)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }
}
