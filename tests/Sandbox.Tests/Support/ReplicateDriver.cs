using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;

namespace Flurrty.Sandbox.Tests.Support;

/// <summary>An answer, read to its end.</summary>
internal sealed record Answer(int Status, string? ContentType, HttpResponseHeaders Headers, byte[] Bytes)
{
    public string Text => Encoding.UTF8.GetString(Bytes);

    public JsonNode Json => JsonNode.Parse(Bytes)!;

    public JsonNode? this[string name] => Json[name];
}

/// <summary>Speaks to a sandbox as a client of Replicate and as its administrator.</summary>
internal sealed class ReplicateDriver : IDisposable
{
    public const string Token = "r8_test";
    public const string OtherToken = "r8_other";
    public const string Account = "sandbox-user";
    public const string Version = "4ffd32160efd92e956d39c5338a9b8fbafca58e03f791f6d8011f3e20e8ea6fa";
    public const string CreatePath = $"/v1/models/ostris/flux-dev-lora-trainer/versions/{Version}/trainings";

    public ReplicateDriver(string origin)
    {
        Origin = origin;
        Http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, PooledConnectionLifetime = TimeSpan.FromSeconds(30) })
        {
            BaseAddress = new Uri(origin),
            Timeout = Deadline.Step,
        };
    }

    public string Origin { get; }

    public HttpClient Http { get; }

    public async Task<Answer> SendAsync(
        HttpMethod method, string path, JsonNode? body = null, string? token = Token, HttpContent? content = null, (string Name, string Value)? header = null, CancellationToken cancellationToken = default)
    {
        using var request = new HttpRequestMessage(method, path);
        if (token is not null)
        {
            request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {token}");
        }

        if (header is { } extra)
        {
            request.Headers.TryAddWithoutValidation(extra.Name, extra.Value);
        }

        request.Content = content ?? (body is null ? null : new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json"));
        using var response = await Http.SendAsync(request, cancellationToken);
        return new Answer((int)response.StatusCode, response.Content.Headers.ContentType?.ToString(), response.Headers, await response.Content.ReadAsByteArrayAsync(cancellationToken));
    }

    public Task<Answer> GetAsync(string path, string? token = Token) => SendAsync(HttpMethod.Get, path, token: token);

    public Task<Answer> PostAsync(string path, JsonNode? body = null, string? token = Token, CancellationToken cancellationToken = default) =>
        SendAsync(HttpMethod.Post, path, body, token, cancellationToken: cancellationToken);

    public Task<Answer> UploadAsync(byte[] content, string name = "photos.zip", string? token = Token, JsonNode? metadata = null) =>
        UploadAsync(new ByteArrayContent(content), name, token, metadata);

    public async Task<Answer> UploadAsync(HttpContent content, string name = "photos.zip", string? token = Token, JsonNode? metadata = null)
    {
        using var form = new MultipartFormDataContent();
        content.Headers.ContentType = new MediaTypeHeaderValue("application/zip");
        form.Add(content, "content", name);
        if (metadata is not null)
        {
            form.Add(new StringContent(metadata.ToJsonString(), Encoding.UTF8, "application/json"), "metadata");
        }

        return await SendAsync(HttpMethod.Post, "/v1/files", token: token, content: form);
    }

    public Task<Answer> CreateModelAsync(string name = "anna", string owner = Account, string? token = Token) => PostAsync(
        "/v1/models", new JsonObject { ["owner"] = owner, ["name"] = name, ["visibility"] = "private", ["hardware"] = "gpu-t4" }, token);

    public Task<Answer> TrainAsync(JsonObject input, JsonObject? more = null, string destination = $"{Account}/anna", string? token = Token, string path = CreatePath, CancellationToken cancellationToken = default)
    {
        var body = new JsonObject { ["destination"] = destination, ["input"] = input.DeepClone() };
        foreach (var (name, value) in more ?? [])
        {
            body[name] = value?.DeepClone();
        }

        return PostAsync(path, body, token, cancellationToken);
    }

    /// <summary>Uploads photos, makes the model if it is missing and starts a training with them.</summary>
    public async Task<string> StartTrainingAsync(JsonObject? more = null, byte[]? zip = null, JsonObject? input = null, string path = CreatePath)
    {
        await CreateModelAsync();
        var file = await UploadAsync(zip ?? Zips.Photos(4));
        var all = new JsonObject { ["input_images"] = file["urls"]!["get"]!.DeepClone() };
        foreach (var (name, value) in input ?? [])
        {
            all[name] = value?.DeepClone();
        }

        var created = await TrainAsync(all, more, path: path);
        Assert.True(created.Status == 201, created.Text);
        return (string)created["id"]!;
    }

    public async Task<JsonNode> TrainingAsync(string id) => (await GetAsync($"/v1/trainings/{id}")).Json;

    public async Task<JsonNode> UntilAsync(string id, params string[] statuses) =>
        await Eventually.HoldsAsync(() => TrainingAsync(id), training => statuses.Contains((string?)training["status"]), $"training {id} is {string.Join(" or ", statuses)}");

    public async Task<JsonNode> EndAsync(string id) => await UntilAsync(id, "succeeded", "failed", "canceled");

    public async Task<JsonNode> InvoiceAsync() => (await GetAsync("/admin/invoice", token: null)).Json;

    public async Task<string> FaultAsync(JsonObject rule)
    {
        var added = await PostAsync("/admin/faults", rule, token: null);
        Assert.True(added.Status == 201, added.Text);
        return (string)added["id"]!;
    }

    public async Task<JsonNode> FaultStateAsync(string id) => (await GetAsync($"/admin/faults/{id}", token: null)).Json;

    public Task<JsonNode> HeldAsync(string id) => Eventually.HoldsAsync(() => FaultStateAsync(id), fault => (int)fault["holding"]! > 0, $"fault {id} holds a request");

    public Task<Answer> ReleaseAsync(string id) => PostAsync($"/admin/faults/{id}/release", token: null);

    public void Dispose() => Http.Dispose();
}
