using System.IO.Compression;
using System.Text;
using Microsoft.Extensions.Options;

namespace Flurrty.Sandbox.Replicate;

/// <summary>The input could not be fetched: the run fails before it starts.</summary>
internal sealed class InputUnavailableException(string message, Exception? cause = null) : Exception(message, cause);

/// <summary>Fetches a training's input archive and looks into it, as the trainer does.</summary>
internal sealed class Datasets
{
    private const int LongestCaption = 64 * 1024;
    private const int MostNames = 1000;
    private const long LargestInput = 5L << 30;
    private static readonly TimeSpan FetchTimeout = TimeSpan.FromMinutes(5);
    private readonly FileStore _files;
    private readonly OutboundHttp _http;
    private readonly string _directory;

    public Datasets(IOptions<SandboxOptions> options, FileStore files, OutboundHttp http)
    {
        _files = files;
        _http = http;
        _directory = Path.Combine(options.Value.DataDirectory, "replicate", "inputs");
        Directory.CreateDirectory(_directory);
    }

    public async Task<Dataset> InspectAsync(Training training, CancellationToken cancellationToken)
    {
        if (training.InputFileId is null && training.InputUrl is null)
        {
            return new Dataset { Error = "input_images must be provided" };
        }

        if (training.InputFileId is { } id)
        {
            // Somebody else's file is as good as none.
            if (_files.Find(id) is not { } file || file.Account != training.Account)
            {
                throw new InputUnavailableException("Failed to download input_images: 404 Not Found");
            }

            try
            {
                await using var content = _files.Read(file);
                return await LookAsync(content, cancellationToken);
            }
            catch (FileNotFoundException error)
            {
                throw new InputUnavailableException("Failed to download input_images: 404 Not Found", error);
            }
        }

        string path = Path.Combine(_directory, training.Id);
        try
        {
            await using var content = new FileStream(path, FileMode.Create, FileAccess.ReadWrite, FileShare.None, 1 << 16, FileOptions.DeleteOnClose | FileOptions.Asynchronous);
            await FetchAsync(training.InputUrl!, content, cancellationToken);
            content.Position = 0;
            return await LookAsync(content, cancellationToken);
        }
        catch (Exception error) when (error is HttpRequestException or TimeoutException or UriFormatException)
        {
            throw new InputUnavailableException($"Failed to download input_images: {error.Message}", error);
        }
    }

    /// <summary>The bytes of a data URI; null when it is not one.</summary>
    public static byte[]? DataUri(string url)
    {
        int comma = url.IndexOf(',', StringComparison.Ordinal);
        if (!url.StartsWith("data:", StringComparison.OrdinalIgnoreCase) || comma < 0)
        {
            return null;
        }

        string content = Uri.UnescapeDataString(url[(comma + 1)..]);
        if (!url[..comma].EndsWith(";base64", StringComparison.OrdinalIgnoreCase))
        {
            return Encoding.UTF8.GetBytes(content);
        }

        byte[] bytes = new byte[content.Length];
        return Convert.TryFromBase64String(content, bytes, out int length) ? bytes[..length] : [];
    }

    private async Task FetchAsync(string url, Stream content, CancellationToken cancellationToken)
    {
        if (DataUri(url) is { } bytes)
        {
            await content.WriteAsync(bytes, cancellationToken);
            return;
        }

        var address = new Uri(url, UriKind.Absolute);
        if (_http.Refusal(address) is { } refusal)
        {
            throw new InputUnavailableException($"Failed to download input_images: the URL {refusal}");
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(FetchTimeout);
        try
        {
            using var response = await _http.Client.GetAsync(address, HttpCompletionOption.ResponseHeadersRead, limit.Token);
            if (!response.IsSuccessStatusCode)
            {
                throw new InputUnavailableException($"Failed to download input_images: {(int)response.StatusCode} {response.ReasonPhrase}");
            }

            await using var body = await response.Content.ReadAsStreamAsync(limit.Token);
            byte[] buffer = new byte[1 << 16];
            int read;
            while ((read = await body.ReadAsync(buffer, limit.Token)) > 0)
            {
                await content.WriteAsync(buffer.AsMemory(0, read), limit.Token);
                if (content.Length > LargestInput)
                {
                    throw new InputUnavailableException("Failed to download input_images: too large");
                }
            }
        }
        catch (IOException error)
        {
            throw new InputUnavailableException($"Failed to download input_images: {error.Message}", error);
        }
        catch (OperationCanceledException error) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException("timed out", error);
        }
    }

    private static async Task<Dataset> LookAsync(Stream content, CancellationToken cancellationToken)
    {
        int files = 0;
        var images = new List<string>();
        var unreadable = new List<string>();
        var captions = new Dictionary<string, string>(StringComparer.Ordinal);
        try
        {
            using var zip = new ZipArchive(content, ZipArchiveMode.Read, leaveOpen: true);
            foreach (var entry in zip.Entries)
            {
                if (entry.FullName.StartsWith("__MACOSX/", StringComparison.Ordinal) || entry.FullName.StartsWith("._", StringComparison.Ordinal))
                {
                    continue;
                }

                files++;
                byte[] head = await UnpackAsync(entry, cancellationToken);
                if (entry.FullName.Contains('/', StringComparison.Ordinal) || images.Count + unreadable.Count >= MostNames)
                {
                    continue;
                }

                switch (Path.GetExtension(entry.Name).ToUpperInvariant())
                {
                    case ".JPG" or ".JPEG" or ".PNG" or ".WEBP":
                        (IsImage(head) ? images : unreadable).Add(entry.Name);
                        break;
                    case ".TXT":
                        captions[entry.Name] = Encoding.UTF8.GetString(head);
                        break;
                    default:
                        break;
                }
            }
        }
        catch (InvalidDataException error)
        {
            return files == 0
                ? new Dataset { Error = "input_images must be a zip file" }
                : new Dataset { Files = files, Error = $"Bad zip file: {error.Message}" };
        }

        return new Dataset
        {
            Files = files,
            Images = images,
            Unreadable = unreadable,
            Captions = captions,
            Error = images.Count == 0 ? "No images found in input_images" : null,
        };
    }

    // Everything is unpacked, so that a broken entry is found; only the beginning is kept.
    private static async Task<byte[]> UnpackAsync(ZipArchiveEntry entry, CancellationToken cancellationToken)
    {
        await using var content = await entry.OpenAsync(cancellationToken);
        byte[] head = new byte[Math.Min(entry.Length, LongestCaption)];
        int kept = 0;
        long length = 0;
        byte[] buffer = new byte[1 << 16];
        int read;
        while ((read = await content.ReadAsync(buffer, cancellationToken)) > 0)
        {
            int copy = Math.Min(read, head.Length - kept);
            buffer.AsSpan(0, copy).CopyTo(head.AsSpan(kept));
            kept += copy;
            length += read;
            if (length > LargestInput)
            {
                throw new InvalidDataException("an entry is too large");
            }
        }

        return length == entry.Length ? head : throw new InvalidDataException($"unexpected end of {entry.Name}");
    }

    private static bool IsImage(ReadOnlySpan<byte> head) =>
        head.StartsWith((ReadOnlySpan<byte>)[0xff, 0xd8, 0xff])
        || head.StartsWith((ReadOnlySpan<byte>)[0x89, (byte)'P', (byte)'N', (byte)'G', 0x0d, 0x0a, 0x1a, 0x0a])
        || (head.Length > 12 && head.StartsWith("RIFF"u8) && head[8..12].SequenceEqual("WEBP"u8));
}
