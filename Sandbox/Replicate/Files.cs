using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Flurrty.Sandbox.Journal;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;

namespace Flurrty.Sandbox.Replicate;

internal sealed record StoredFile
{
    public required string Id { get; init; }
    public required long Number { get; init; }
    public required string Account { get; init; }
    public required string Name { get; init; }
    public required string ContentType { get; init; }
    public required long Size { get; init; }
    public required string Sha256 { get; init; }
    public required string Md5 { get; init; }
    public required JsonElement Metadata { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset ExpiresAt { get; init; }
}

/// <summary>Uploaded files: content on disk, everything else in the journal.</summary>
internal sealed class FileStore
{
    private readonly DocumentSet<StoredFile> _files;
    private readonly string _directory;
    private readonly byte[] _signingSecret;
    private readonly TimeProvider _time;
    private readonly TimeSpan _lifetime;
    private long _last;

    public FileStore(IOptions<SandboxOptions> options, DocumentJournal journal, TimeProvider time)
    {
        _time = time;
        _lifetime = options.Value.Replicate.FileLifetime;
        _files = journal.Set<StoredFile>("file");
        _last = _files.All.Select(file => file.Number).DefaultIfEmpty().Max();
        _directory = Path.Combine(options.Value.DataDirectory, "replicate", "files");
        Directory.CreateDirectory(_directory);

        // What a killed process was still receiving never got an answer.
        foreach (string unfinished in Directory.EnumerateFiles(_directory, "*.part"))
        {
            File.Delete(unfinished);
        }

        var secrets = journal.Set<Secret>("secret");
        secrets.TryAdd("files", new Secret(Convert.ToBase64String(RandomNumberGenerator.GetBytes(32))));
        _signingSecret = Convert.FromBase64String(secrets.Find("files")!.Value);
    }

    public string NewPart() => Path.Combine(_directory, Guid.NewGuid().ToString("N") + ".part");

    public StoredFile Keep(string part, string account, string name, string contentType, long size, string sha256, string md5, JsonElement metadata)
    {
        var now = _time.GetUtcNow();
        var file = new StoredFile
        {
            Id = Wire.NewFileId(),
            Number = Interlocked.Increment(ref _last),
            Account = account,
            Name = name,
            ContentType = contentType,
            Size = size,
            Sha256 = sha256,
            Md5 = md5,
            Metadata = metadata,
            CreatedAt = now,
            ExpiresAt = now + _lifetime,
        };
        File.Move(part, PathOf(file.Id));
        _files.Put(file.Id, file);
        return file;
    }

    public StoredFile? Find(string id) => _files.Find(id) is { } file && file.ExpiresAt > _time.GetUtcNow() ? file : null;

    public IEnumerable<StoredFile> Of(string account)
    {
        var now = _time.GetUtcNow();
        return _files.All.Where(file => file.Account == account && file.ExpiresAt > now).OrderByDescending(file => file.Number);
    }

    public FileStream Read(StoredFile file) => new(PathOf(file.Id), FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);

    public bool Delete(string id)
    {
        if (!_files.Remove(id))
        {
            return false;
        }

        File.Delete(PathOf(id));
        return true;
    }

    /// <summary>Deletes what has expired.</summary>
    public void Sweep()
    {
        var now = _time.GetUtcNow();
        foreach (var file in _files.All.Where(file => file.ExpiresAt <= now))
        {
            Delete(file.Id);
        }
    }

    /// <summary>The link that echoes of inputs carry; in real traffic its signature is escaped twice.</summary>
    public string SignedUrl(string origin, StoredFile file)
    {
        long expiry = (_time.GetUtcNow() + TimeSpan.FromHours(1)).ToUnixTimeSeconds();
        string signature = Uri.EscapeDataString(Uri.EscapeDataString(Sign(file.Account, file.Id, expiry)));
        return $"{origin}/v1/files/{file.Id}/download?expiry={expiry}&owner={file.Account}&signature={signature}";
    }

    public bool IsSigned(string owner, string id, long expiry, string signature) =>
        expiry > _time.GetUtcNow().ToUnixTimeSeconds()
        && (Same(Sign(owner, id, expiry), signature) || Same(Sign(owner, id, expiry), Uri.UnescapeDataString(signature)));

    private string Sign(string owner, string id, long expiry) =>
        Convert.ToBase64String(HMACSHA256.HashData(_signingSecret, Encoding.UTF8.GetBytes($"{owner} {id} {expiry}")));

    private static bool Same(string expected, string given) =>
        CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(expected), Encoding.UTF8.GetBytes(given));

    private string PathOf(string id) => Path.Combine(_directory, id);

    private sealed record Secret(string Value);
}

/// <summary>The routes under <c>/files</c>.</summary>
internal static class Files
{
    private const long Limit = 100_000_000;
    private const int MetadataLimit = 64 * 1024;

    public static void Map(RouteGroupBuilder v1)
    {
        v1.MapPost("/files", CreateAsync);
        v1.MapGet("/files", (HttpContext context, FileStore files, Origin origin, IOptions<SandboxOptions> options) =>
        {
            string url = origin.Of(context.Request);
            return Paging.Page(
                context.Request, $"{url}/v1/files", options.Value.Replicate.PageSize, files.Of(context.Account().Username), file => file.Number, file => Render(file, url), files: true);
        });
        v1.MapGet("/files/{id}", (HttpContext context, string id, FileStore files, Origin origin) =>
            Own(context, files, id) is { } file ? Reply.FilesJson(200, Render(file, origin.Of(context.Request))) : Missing());
        v1.MapDelete("/files/{id}", (HttpContext context, string id, FileStore files) =>
            Own(context, files, id) is { } file && files.Delete(file.Id) ? Reply.Empty(204) : Missing());
        v1.MapGet("/files/{id}/download", Download);
    }

    public static bool IsSignedDownload(PathString path) =>
        path.StartsWithSegments("/v1/files", StringComparison.Ordinal, out var rest) && rest.Value!.EndsWith("/download", StringComparison.Ordinal);

    private static StoredFile? Own(HttpContext context, FileStore files, string id) =>
        files.Find(id) is { } file && file.Account == context.Account().Username ? file : null;

    private static Reply Missing() => Reply.Problem(404, "File not found");

    private static Reply TooLarge() => Reply.Problem(413, "Files must be less than 100MB in size");

    private static JsonObject Render(StoredFile file, string origin) => new()
    {
        ["id"] = file.Id,
        ["name"] = file.Name,
        ["content_type"] = file.ContentType,
        ["size"] = file.Size,
        ["etag"] = file.Md5,
        ["checksums"] = new JsonObject { ["sha256"] = file.Sha256, ["md5"] = file.Md5 },
        ["metadata"] = JsonNode.Parse(file.Metadata.GetRawText()),
        ["created_at"] = Wire.Milliseconds(file.CreatedAt),
        ["expires_at"] = Wire.Milliseconds(file.ExpiresAt),
        ["urls"] = new JsonObject { ["get"] = $"{origin}/v1/files/{file.Id}" },
    };

    private static IResult Download(HttpContext context, string id, FileStore files)
    {
        var query = context.Request.Query;
        return files.Find(id) is { } file
            && query["owner"].ToString() is { } owner && owner == file.Account
            && long.TryParse(query["expiry"], out long expiry)
            && files.IsSigned(owner, id, expiry, query["signature"].ToString())
            ? Results.Stream(files.Read(file), file.ContentType, enableRangeProcessing: true)
            : Missing();
    }

    private static async Task<IResult> CreateAsync(HttpContext context, FileStore files, Origin origin)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
        {
            size.MaxRequestBodySize = null;
        }

        if (!MediaTypeHeaderValue.TryParse(context.Request.ContentType, out var type)
            || !type.MediaType.Equals("multipart/form-data", StringComparison.OrdinalIgnoreCase)
            || HeaderUtilities.RemoveQuotes(type.Boundary) is not { Length: > 0 and <= 200 } boundary)
        {
            return Reply.Problem(400, "The request body must be multipart/form-data.");
        }

        string part = files.NewPart();
        try
        {
            return await ReceiveAsync(context, boundary.Value!, part, files, origin);
        }
        catch (Exception error) when (error is InvalidDataException or IOException or BadHttpRequestException && !context.RequestAborted.IsCancellationRequested)
        {
            return Reply.Problem(400, "The multipart body could not be read.");
        }
        finally
        {
            File.Delete(part);
        }
    }

    private static async Task<IResult> ReceiveAsync(HttpContext context, string boundary, string part, FileStore files, Origin origin)
    {
        var cancellation = context.RequestAborted;
        var reader = new MultipartReader(boundary, context.Request.Body);
        string? sentName = null;
        string? sentType = null;
        string? partName = null;
        string? partType = null;
        long length = -1;
        string sha256 = "";
        string md5 = "";
        using var emptyObject = JsonDocument.Parse("{}");
        var metadata = emptyObject.RootElement.Clone();

        while (await reader.ReadNextSectionAsync(cancellation) is { } section)
        {
            if (!ContentDispositionHeaderValue.TryParse(section.ContentDisposition, out var disposition))
            {
                return Reply.Problem(400, "A part has no Content-Disposition.");
            }

            switch (HeaderUtilities.RemoveQuotes(disposition.Name).Value)
            {
                case "content":
                    partName = HeaderUtilities.RemoveQuotes(disposition.FileNameStar.HasValue ? disposition.FileNameStar : disposition.FileName).Value;
                    partType = section.ContentType;
                    (length, sha256, md5) = await StoreAsync(section.Body, part, cancellation);
                    if (length >= Limit)
                    {
                        return TooLarge();
                    }

                    break;
                case "metadata":
                    try
                    {
                        using var document = JsonDocument.Parse(await TextAsync(section, cancellation));
                        metadata = document.RootElement.Clone();
                    }
                    catch (JsonException)
                    {
                        return Reply.Problem(400, "The part metadata is not valid JSON.");
                    }

                    if (metadata.ValueKind != JsonValueKind.Object)
                    {
                        return Reply.Problem(400, "The part metadata must be a JSON object.");
                    }

                    break;
                case "filename":
                    sentName = await TextAsync(section, cancellation);
                    break;
                case "type":
                    sentType = await TextAsync(section, cancellation);
                    break;
                default:
                    break;
            }
        }

        if (length < 0)
        {
            return Reply.Problem(400, "Missing content");
        }

        string name = sentName ?? partName ?? "";
        if (name.Length == 0 || Encoding.UTF8.GetByteCount(name) > 255)
        {
            return Reply.Problem(400, "Missing or invalid filename");
        }

        var file = files.Keep(part, context.Account().Username, name, sentType ?? partType ?? "application/octet-stream", length, sha256, md5, metadata);
        return Reply.FilesJson(201, Render(file, origin.Of(context.Request)));
    }

    private static async Task<(long Length, string Sha256, string Md5)> StoreAsync(Stream body, string path, CancellationToken cancellationToken)
    {
        using var sha256 = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
#pragma warning disable CA5351 // Replicate answers with an MD5 too.
        using var md5 = IncrementalHash.CreateHash(HashAlgorithmName.MD5);
#pragma warning restore CA5351
        await using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None);
        byte[] buffer = new byte[1 << 16];
        long length = 0;
        int read;
        while ((read = await body.ReadAsync(buffer, cancellationToken)) > 0)
        {
            length += read;
            if (length < Limit)
            {
                sha256.AppendData(buffer, 0, read);
                md5.AppendData(buffer, 0, read);
                await file.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
            }
        }

        file.Flush(flushToDisk: true);
        return (length, Convert.ToHexStringLower(sha256.GetHashAndReset()), Convert.ToHexStringLower(md5.GetHashAndReset()));
    }

    private static async Task<string> TextAsync(MultipartSection section, CancellationToken cancellationToken)
    {
        var text = new MemoryStream();
        byte[] buffer = new byte[4096];
        int read;
        while ((read = await section.Body.ReadAsync(buffer, cancellationToken)) > 0)
        {
            text.Write(buffer, 0, read);
            if (text.Length > MetadataLimit)
            {
                throw new InvalidDataException("A part is longer than its field may be.");
            }
        }

        return Encoding.UTF8.GetString(text.GetBuffer(), 0, (int)text.Length);
    }
}
