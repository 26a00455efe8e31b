using System.Net;
using System.Net.Http.Json;
using System.Text.Json;

namespace Flurrty.UploadService.Tests.Fixtures;

/// <summary>The steps that most tests begin with.</summary>
internal static class Steps
{
    public static async Task<Guid> NewSetAsync(this HttpClient client, string name = "Dad")
    {
        using var answer = await client.PostAsJsonAsync("/api/photo-sets", new { name });
        var body = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.StatusCode == HttpStatusCode.Created, $"{answer.StatusCode} {body}");
        return JsonDocument.Parse(body).RootElement.GetProperty("id").GetGuid();
    }

    public static async Task<(HttpStatusCode Status, JsonElement Body)> AddAsync(this HttpClient client, Guid photoSetId, params (string Name, byte[] Bytes)[] files)
    {
        using var form = Form.Of(files);
        return await client.AddAsync(photoSetId, form);
    }

    public static async Task<(HttpStatusCode Status, JsonElement Body)> AddAsync(this HttpClient client, Guid photoSetId, HttpContent form)
    {
        using var answer = await client.PostAsync($"/api/photo-sets/{photoSetId}/photos", form);
        return await answer.ReadAsync();
    }

    public static async Task<(HttpStatusCode Status, JsonElement Body)> ReadAsync(this HttpResponseMessage answer)
    {
        var text = await answer.Content.ReadAsStringAsync();
        return (answer.StatusCode, text.Length == 0 ? default : JsonDocument.Parse(text).RootElement.Clone());
    }

    public static async Task<(HttpStatusCode Status, JsonElement Body)> LookAsync(this HttpClient client, string path)
    {
        using var answer = await client.GetAsync(path);
        return await answer.ReadAsync();
    }

    /// <summary>A set with small photos that differ.</summary>
    public static async Task<Guid> NewSetWithPhotosAsync(this HttpClient client, int photos, int seed = 100)
    {
        var set = await client.NewSetAsync();
        var (status, body) = await client.AddAsync(set, [.. Enumerable.Range(0, photos).Select(i => ($"{i}.jpg", TestPhotos.Jpeg(320, 240, seed + i)))]);
        Assert.True(status == HttpStatusCode.Created && body.GetProperty("photos").GetArrayLength() == photos, $"{status} {body}");
        Assert.Equal(HttpStatusCode.Created, (await client.ConsentAsync(set)).Status);
        return set;
    }

    /// <summary>Agrees to the text of today.</summary>
    public static async Task<(HttpStatusCode Status, JsonElement Body)> ConsentAsync(this HttpClient client, Guid photoSetId)
    {
        var (_, text) = await client.LookAsync("/api/photo-sets/consent-text");
        using var answer = await client.PostAsJsonAsync($"/api/photo-sets/{photoSetId}/consent", new { text_version = text.GetProperty("text_version").GetString() });
        return await answer.ReadAsync();
    }

    public static async Task<(HttpStatusCode Status, JsonElement Body)> SealAsync(this HttpClient registry, Guid versionId, Guid photoSetId, string trigger = "TOK")
    {
        using var answer = await registry.PutAsJsonAsync($"/internal/seals/{versionId}", new { photo_set_id = photoSetId, trigger_word = trigger });
        return await answer.ReadAsync();
    }

    public static string Code(this JsonElement problem) => problem.GetProperty("code").GetString()!;
}
