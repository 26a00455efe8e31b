using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Flurrty.UploadService.Tests.Fixtures;

/// <summary>An answer of the tus protocol.</summary>
internal sealed record TusAnswer(HttpStatusCode Status, JsonElement Body, HttpResponseHeaders Headers)
{
    public string? this[string name] => Headers.TryGetValues(name, out var values) ? string.Join(',', values) : null;

    public long Offset => long.Parse(this["Upload-Offset"]!, System.Globalization.CultureInfo.InvariantCulture);

    public override string ToString() => $"{(int)Status} {Body} {Headers}";
}

/// <summary>The steps of a resumable upload.</summary>
internal static class TusSteps
{
    private const string OffsetOctets = "application/offset+octet-stream";

    public static async Task<TusAnswer> TusAsync(
        this HttpClient client, HttpMethod method, string path, HttpContent? content = null, string? version = "1.0.0", params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        if (version is not null)
        {
            request.Headers.Add("Tus-Resumable", version);
        }

        foreach (var (name, value) in headers)
        {
            Assert.True(request.Headers.TryAddWithoutValidation(name, value));
        }

        using var answer = await client.SendAsync(request);
        var (status, body) = await answer.ReadAsync();
        return new TusAnswer(status, body, answer.Headers);
    }

    public static Task<TusAnswer> TusBeginAsync(this HttpClient client, Guid photoSetId, long length, params (string Key, string Value)[] metadata) => client.TusAsync(
        HttpMethod.Post,
        $"/api/photo-sets/{photoSetId}/tus",
        headers: [
            ("Upload-Length", $"{length}"),
            .. metadata.Length == 0 ? Array.Empty<(string, string)>() : [("Upload-Metadata", string.Join(',', metadata.Select(pair => $"{pair.Key} {Convert.ToBase64String(Encoding.UTF8.GetBytes(pair.Value))}")))],
        ]);

    /// <summary>Begins an upload that must be admitted.</summary>
    /// <returns>Its address.</returns>
    public static async Task<string> TusBegunAsync(this HttpClient client, Guid photoSetId, long length, params (string Key, string Value)[] metadata)
    {
        var answer = await client.TusBeginAsync(photoSetId, length, metadata);
        Assert.True(answer.Status == HttpStatusCode.Created, $"{answer}");
        return answer.Headers.Location!.ToString();
    }

    public static Task<TusAnswer> TusPatchAsync(this HttpClient client, string upload, long offset, byte[] bytes, params (string Name, string Value)[] headers) =>
        client.TusPatchAsync(upload, offset, new ByteArrayContent(bytes), headers);

    public static async Task<TusAnswer> TusPatchAsync(this HttpClient client, string upload, long offset, HttpContent content, params (string Name, string Value)[] headers)
    {
        content.Headers.ContentType = new MediaTypeHeaderValue(OffsetOctets);
        return await client.TusAsync(HttpMethod.Patch, upload, content, headers: [("Upload-Offset", $"{offset}"), .. headers]);
    }

    public static Task<TusAnswer> TusHeadAsync(this HttpClient client, string upload) => client.TusAsync(HttpMethod.Head, upload);

    public static Guid TusId(string upload) => Guid.Parse(upload.Split('/')[^1]);
}

/// <summary>Gives its bytes, then breaks the request off.</summary>
internal sealed class BreakingContent(byte[] bytes, long promised) : HttpContent
{
    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
    {
        await stream.WriteAsync(bytes);
        await stream.FlushAsync();

        // What comes in one breath with the end of the connection may be lost with it.
        await Task.Delay(TimeSpan.FromSeconds(2));
        throw new IOException("The connection dropped.");
    }

    protected override bool TryComputeLength(out long length)
    {
        length = promised;
        return true;
    }
}
