using System.Formats.Tar;
using System.Text;

namespace Flurrty.Sandbox.Lora;

internal enum ArchiveDamage
{
    None,

    /// <summary>Two <c>.safetensors</c> in it.</summary>
    TwoWeights,

    /// <summary>No <c>.safetensors</c> in it.</summary>
    MissingWeights,

    /// <summary>The file ends in the middle of the weights.</summary>
    Truncated,

    /// <summary>An entry whose name leads out of the directory it is unpacked in.</summary>
    ZipSlip,

    /// <summary>A symbolic link to a file outside, under the name of the weights.</summary>
    Link,

    /// <summary>The file is not an archive at all.</summary>
    NotATar,

    /// <summary>Not a byte.</summary>
    Empty,
}

/// <summary>The uncompressed tar that the trainer leaves behind.</summary>
internal sealed class WeightsArchive(NoOpLora lora, string config, IReadOnlyDictionary<string, string> captions)
{
    private const string Folder = "output/flux_train_replicate";

    public async Task WriteAsync(string path, ArchiveDamage damage, LoraDamage loraDamage, DateTimeOffset at, CancellationToken cancellationToken)
    {
        string weights = path + ".safetensors";
        string unfinished = path + ".part";
        try
        {
            await using (var file = File.Create(weights))
            {
                await lora.WriteAsync(file, loraDamage, cancellationToken);
            }

            await using (var file = File.Create(unfinished))
            {
                if (damage == ArchiveDamage.NotATar)
                {
                    await file.WriteAsync("<html><body>Bad gateway</body></html>\n"u8.ToArray(), cancellationToken);
                }
                else if (damage != ArchiveDamage.Empty)
                {
                    await WriteEntriesAsync(file, weights, damage, at, cancellationToken);
                }

                if (damage == ArchiveDamage.Truncated)
                {
                    file.SetLength(file.Length * 3 / 5);
                }

                file.Flush(flushToDisk: true);
            }

            File.Move(unfinished, path, overwrite: true);
        }
        finally
        {
            File.Delete(weights);
            File.Delete(unfinished);
        }
    }

    private async Task WriteEntriesAsync(Stream file, string weights, ArchiveDamage damage, DateTimeOffset at, CancellationToken cancellationToken)
    {
        await using var tar = new TarWriter(file, TarEntryFormat.Gnu, leaveOpen: true);
        await tar.WriteEntryAsync(new GnuTarEntry(TarEntryType.Directory, Folder + "/") { ModificationTime = at }, cancellationToken);
        await TextAsync(tar, $"{Folder}/config.yaml", config, at, cancellationToken);
        await tar.WriteEntryAsync(new GnuTarEntry(TarEntryType.Directory, Folder + "/captions/") { ModificationTime = at }, cancellationToken);
        foreach (var (name, text) in captions)
        {
            await TextAsync(tar, $"{Folder}/captions/{name}", text, at, cancellationToken);
        }

        if (damage == ArchiveDamage.ZipSlip)
        {
            await TextAsync(tar, "../../../../zip-slip.txt", "An archive wrote outside of its directory.\n", at, cancellationToken);
        }

        if (damage == ArchiveDamage.Link)
        {
            await tar.WriteEntryAsync(new GnuTarEntry(TarEntryType.SymbolicLink, $"{Folder}/lora.safetensors") { LinkName = "/etc/passwd", ModificationTime = at }, cancellationToken);
            return;
        }

        if (damage != ArchiveDamage.MissingWeights)
        {
            await FileAsync(tar, $"{Folder}/lora.safetensors", weights, at, cancellationToken);
        }

        if (damage == ArchiveDamage.TwoWeights)
        {
            await FileAsync(tar, $"{Folder}/flux_train_replicate_000000500.safetensors", weights, at, cancellationToken);
        }
    }

    private static async Task FileAsync(TarWriter tar, string name, string path, DateTimeOffset at, CancellationToken cancellationToken)
    {
        await using var content = File.OpenRead(path);
        await tar.WriteEntryAsync(new GnuTarEntry(TarEntryType.RegularFile, name) { DataStream = content, ModificationTime = at }, cancellationToken);
    }

    private static async Task TextAsync(TarWriter tar, string name, string text, DateTimeOffset at, CancellationToken cancellationToken)
    {
        using var content = new MemoryStream(Encoding.UTF8.GetBytes(text));
        await tar.WriteEntryAsync(new GnuTarEntry(TarEntryType.RegularFile, name) { DataStream = content, ModificationTime = at }, cancellationToken);
    }
}
