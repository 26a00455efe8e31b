using System.Formats.Tar;
using System.Security.Cryptography;
using Flurrty.TrainingService.Models;

namespace Flurrty.TrainingService.Tests.Models;

public sealed class ModelArchiveTests
{
    private static readonly byte[] Weights = RandomNumberGenerator.GetBytes(300_000);

    [Fact]
    public async Task Archive_WithOneModel_GivesItAndItsHash()
    {
        using var target = new MemoryStream();

        var sha256 = await ExtractAsync(target, ("output/flux_train_replicate/config.yaml", [1, 2]), ("output/flux_train_replicate/lora.safetensors", Weights), ("output/README.md", [3]));

        Assert.Equal(Weights, target.ToArray());
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(Weights)), sha256);
    }

    [Fact]
    public async Task Archive_WithTwoModels_IsRefused() =>
        await Assert.ThrowsAsync<ModelInvalidException>(() => ExtractAsync(Stream.Null, ("a.safetensors", Weights), ("b.safetensors", Weights)));

    [Fact]
    public async Task Archive_WithoutAModel_IsRefused() =>
        await Assert.ThrowsAsync<ModelInvalidException>(() => ExtractAsync(Stream.Null, ("a.txt", Weights)));

    [Fact]
    public async Task Archive_WithALinkForAModel_IsRefused()
    {
        using var archive = new MemoryStream();
        await using (var writer = new TarWriter(archive, leaveOpen: true))
        {
            await writer.WriteEntryAsync(new PaxTarEntry(TarEntryType.SymbolicLink, "lora.safetensors") { LinkName = "/etc/passwd" });
        }

        archive.Position = 0;

        await Assert.ThrowsAsync<ModelInvalidException>(() => ModelArchive.ExtractAsync(archive, Stream.Null, 1_000_000, CancellationToken.None));
    }

    [Fact]
    public async Task Archive_WithANameThatLeadsOutside_WritesOnlyToTheTarget()
    {
        using var target = new MemoryStream();

        await ExtractAsync(target, ("../../../../../../tmp/evil.safetensors", Weights));

        Assert.Equal(Weights, target.ToArray());
    }

    [Fact]
    public async Task Archive_Truncated_IsRefused()
    {
        using var whole = await BuildAsync(("lora.safetensors", Weights));
        using var archive = new MemoryStream(whole.ToArray()[..100_000]);

        await Assert.ThrowsAsync<ModelInvalidException>(() => ModelArchive.ExtractAsync(archive, Stream.Null, 1_000_000, CancellationToken.None));
    }

    [Fact]
    public async Task Model_LargerThanAllowed_IsRefused()
    {
        using var archive = await BuildAsync(("lora.safetensors", Weights));

        await Assert.ThrowsAsync<ModelInvalidException>(() => ModelArchive.ExtractAsync(archive, Stream.Null, Weights.Length - 1, CancellationToken.None));
    }

    [Fact]
    public async Task File_ThatIsNoArchive_IsRefused()
    {
        using var archive = new MemoryStream(Weights);

        await Assert.ThrowsAsync<ModelInvalidException>(() => ModelArchive.ExtractAsync(archive, Stream.Null, 1_000_000, CancellationToken.None));
    }

    private static async Task<string> ExtractAsync(Stream target, params (string Name, byte[] Data)[] files)
    {
        using var archive = await BuildAsync(files);
        return await ModelArchive.ExtractAsync(archive, target, 1_000_000, CancellationToken.None);
    }

    private static async Task<MemoryStream> BuildAsync(params (string Name, byte[] Data)[] files)
    {
        var archive = new MemoryStream();
        await using (var writer = new TarWriter(archive, leaveOpen: true))
        {
            foreach (var (name, data) in files)
            {
                await writer.WriteEntryAsync(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(data) });
            }
        }

        archive.Position = 0;
        return archive;
    }
}
