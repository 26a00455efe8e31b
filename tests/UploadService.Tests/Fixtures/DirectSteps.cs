using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;

namespace Flurrty.UploadService.Tests.Fixtures;

/// <summary>The steps of a direct upload.</summary>
internal static class DirectSteps
{
    private static readonly HttpClient Store = new();

    public static object Promise(byte[] bytes, string name = "a.jpg") =>
        new { name, size = bytes.Length, sha256 = Convert.ToHexStringLower(SHA256.HashData(bytes)), content_type = "image/jpeg" };

    public static async Task<(HttpStatusCode Status, JsonElement Body)> BeginAsync(this HttpClient client, Guid photoSetId, params object[] files)
    {
        using var answer = await client.PostAsJsonAsync($"/api/photo-sets/{photoSetId}/uploads", new { files });
        return await answer.ReadAsync();
    }

    /// <summary>Begins uploads that must be admitted.</summary>
    public static async Task<JsonElement[]> BegunAsync(this HttpClient client, Guid photoSetId, params byte[][] photos)
    {
        var (status, body) = await client.BeginAsync(photoSetId, [.. photos.Select((photo, index) => Promise(photo, $"{index}.jpg"))]);
        Assert.True(status == HttpStatusCode.Created, $"{status} {body}");
        return [.. body.GetProperty("uploads").EnumerateArray()];
    }

    /// <summary>Does what the answer says, with these bytes.</summary>
    public static async Task<HttpStatusCode> PutAsync(this JsonElement upload, byte[] bytes, string? method = null, bool withChecksum = true)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method ?? upload.GetProperty("method").GetString()!), upload.GetProperty("url").GetString());
        if (method is null)
        {
            request.Content = new ByteArrayContent(bytes);
        }

        foreach (var header in upload.GetProperty("headers").EnumerateObject().Where(header => withChecksum || !header.Name.StartsWith("x-amz-", StringComparison.Ordinal)))
        {
            if (!string.Equals(header.Name, "content-length", StringComparison.Ordinal) && !request.Headers.TryAddWithoutValidation(header.Name, header.Value.GetString()))
            {
                request.Content?.Headers.TryAddWithoutValidation(header.Name, header.Value.GetString());
            }
        }

        using var answer = await Store.SendAsync(request);
        return answer.StatusCode;
    }

    public static async Task<(HttpStatusCode Status, JsonElement Body)> CompleteAsync(this HttpClient client, JsonElement upload)
    {
        using var answer = await client.PostAsync(upload.GetProperty("complete_url").GetString(), content: null);
        return await answer.ReadAsync();
    }

    public static async Task<(HttpStatusCode Status, JsonElement Body)> CompleteAllAsync(this HttpClient client, Guid photoSetId)
    {
        using var answer = await client.PostAsync($"/api/photo-sets/{photoSetId}/uploads/complete", content: null);
        return await answer.ReadAsync();
    }

    public static Guid Id(this JsonElement upload) => upload.GetProperty("id").GetGuid();
}
