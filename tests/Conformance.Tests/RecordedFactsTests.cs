using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Flurrty.Sandbox.Tests.Support;

namespace Flurrty.Conformance.Tests;

/// <summary>Answers of the sandbox beside answers that were recorded at the real service: the same fields, kinds and formats.</summary>
public sealed partial class RecordedFactsTests : IAsyncLifetime
{
    private const string RecordedCreate = """
        {"id":"bjcdnn0zanrm00cht0kvf5nx6c","model":"ostris/flux-dev-lora-trainer","version":"6029be968faad5bcc6d44e827af89eee22d61c35f3b5d0950751815506a9db04",
        "input":{"input_images":"data:application/zip;base64,UEsDBBQAAAAA","steps":100},"logs":"","output":null,"data_removed":false,"error":null,"status":"starting",
        "created_at":"2024-09-08T05:41:50.549Z","urls":{"cancel":"https://api.replicate.com/v1/predictions/bjcdnn0zanrm00cht0kvf5nx6c/cancel","get":"https://api.replicate.com/v1/predictions/bjcdnn0zanrm00cht0kvf5nx6c"}}
        """;

    private const string RecordedRefusal = """
        {"id":"e8060w1za1rm00chtfdvbz25m4","model":"ostris/flux-dev-lora-trainer","version":"6029be968faad5bcc6d44e827af89eee22d61c35f3b5d0950751815506a9db04",
        "input":{"input_images":"data:application/zip;base64,UEsDBBQAAAAA==","steps":1},"logs":"","output":null,"data_removed":false,
        "error":"Prediction input failed validation: {\"detail\":[{\"loc\":[\"body\",\"input\",\"steps\"],\"msg\":\"ensure this value is greater than or equal to 3\",\"type\":\"value_error.number.not_ge\",\"ctx\":{\"limit_value\":3}}]}",
        "status":"failed","created_at":"2024-09-08T22:57:26.864Z","started_at":"2024-09-08T22:57:26.893227142Z","completed_at":"2024-09-08T22:57:26.893227142Z",
        "urls":{"cancel":"https://api.replicate.com/v1/predictions/e8060w1za1rm00chtfdvbz25m4/cancel","get":"https://api.replicate.com/v1/predictions/e8060w1za1rm00chtfdvbz25m4"}}
        """;

    private const string RecordedCancel = """
        {"completed_at":"2023-08-16T19:33:27.215203Z","created_at":"2023-08-16T19:33:27.135361Z","error":null,"id":"xxi2kydbnla3ocjp64sclkewku",
        "input":{"input_images":"https://replicate.delivery/pbxt/x/data.zip"},"logs":null,"metrics":{"predict_time":3e-06},"output":null,
        "started_at":"2023-08-16T19:33:27.215200Z","status":"canceled","urls":{"get":"https://api.replicate.com/v1/predictions/x","cancel":"https://api.replicate.com/v1/predictions/x/cancel"},
        "model":"stability-ai/sdxl","version":"a00d0b7dcbb9c3fbb34ba87d2d5b46c56969c84a628bf778a7fdaec30b1b99c5"}
        """;

    private const string RecordedFile = """
        {"id":"NGZiNmY2YzQtMThhZi00ZjcyLWFhZjktODg4NTY0NWNlMDEy","name":"test_fileo20o3wth.txt","content_type":"text/plain","size":0,"etag":"d41d8cd98f00b204e9800998ecf8427e",
        "checksums":{"sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","md5":"d41d8cd98f00b204e9800998ecf8427e"},"metadata":{},
        "created_at":"2024-08-22T12:26:51.079Z","expires_at":"2024-08-23T12:26:51.079Z","urls":{"get":"https://api.replicate.com/v1/files/NGZiNmY2YzQtMThhZi00ZjcyLWFhZjktODg4NTY0NWNlMDEy"}}
        """;

    private const string RecordedModel = """
        {"url": "https://replicate.com/test/python-example", "owner": "test", "name": "python-example", "description": "An example model", "visibility": "private",
        "github_url": null, "paper_url": null, "license_url": null, "run_count": 0, "cover_image_url": null, "default_example": null, "latest_version": null}
        """;

    private readonly TempDirectory _data = new();
    private SandboxProcess? _sandbox;

    private ReplicateDriver Replicate => _sandbox!.Replicate;

    public async Task InitializeAsync() => _sandbox = await SandboxProcess.StartAsync(_data.FullName);

    public async Task DisposeAsync()
    {
        await _sandbox!.DisposeAsync();
        _data.Dispose();
    }

    [Fact]
    public async Task CreatedTraining_IsLikeTheRecordedOne()
    {
        await Replicate.CreateModelAsync();

        var created = await Replicate.TrainAsync(new JsonObject { ["input_images"] = "data:application/zip;base64,UEsDBBQAAAAA", ["steps"] = 100 });

        Assert.Equal((201, "application/json"), (created.Status, created.ContentType));
        Alike(RecordedCreate, created.Json, "source", "web");
        Assert.Equal(2999, int.Parse(created.Headers.GetValues("ratelimit-remaining").Single()), 10.0);
    }

    [Fact]
    public async Task RefusedInput_IsLikeTheRecordedOne()
    {
        await Replicate.CreateModelAsync();
        var created = await Replicate.TrainAsync(new JsonObject { ["input_images"] = "data:application/zip;base64,UEsDBBQAAAAA==", ["steps"] = 1 });

        await Replicate.EndAsync((string)created["id"]!);
        var failed = await Replicate.GetAsync($"/v1/predictions/{created["id"]}");

        Alike(RecordedRefusal, failed.Json, "source", "web");
        Assert.Equal((string?)JsonNode.Parse(RecordedRefusal)!["error"], (string?)failed["error"]);
        Assert.Equal((string?)failed["started_at"], (string?)failed["completed_at"]);
    }

    [Fact]
    public async Task CanceledTraining_IsLikeTheRecordedOne()
    {
        await Replicate.SendAsync(HttpMethod.Put, "/admin/speed", new JsonObject { ["seconds_per_training"] = 600 }, token: null);
        await Replicate.CreateModelAsync();
        var created = await Replicate.TrainAsync(new JsonObject { ["input_images"] = "https://example.com/data.zip" });

        var canceled = await Replicate.PostAsync($"/v1/trainings/{created["id"]}/cancel");

        Assert.Equal(200, canceled.Status);
        Alike(RecordedCancel, canceled.Json, "source", "web", "data_removed", "total_time");
    }

    [Fact]
    public async Task File_IsLikeTheRecordedOne()
    {
        using var form = new MultipartFormDataContent();
        using var content = new ByteArrayContent([]) { Headers = { ContentType = new("text/plain") } };
        form.Add(content, "content", "test_fileo20o3wth.txt");

        var created = await Replicate.SendAsync(HttpMethod.Post, "/v1/files", content: form);

        Assert.Equal((201, "application/json; charset=UTF-8"), (created.Status, created.ContentType));
        Alike(RecordedFile, created.Json);
        foreach (string field in (string[])["name", "content_type", "etag"])
        {
            Assert.Equal((string?)JsonNode.Parse(RecordedFile)![field], (string?)created[field]);
        }

        Assert.Equal(JsonNode.Parse(RecordedFile)!["checksums"]!.ToJsonString(), created["checksums"]!.ToJsonString());
        var deleted = await Replicate.SendAsync(HttpMethod.Delete, $"/v1/files/{created["id"]}");
        Assert.Equal((204, 0), (deleted.Status, deleted.Bytes.Length));
    }

    [Fact]
    public async Task Model_IsLikeTheRecordedOne()
    {
        var created = await Replicate.PostAsync(
            "/v1/models",
            new JsonObject { ["owner"] = ReplicateDriver.Account, ["name"] = "python-example", ["visibility"] = "private", ["hardware"] = "cpu", ["description"] = "An example model" });

        Assert.Equal(201, created.Status);
        Alike(RecordedModel, created.Json, "is_official");
    }

    [Fact]
    public async Task Refusals_AreTheRecordedOnes()
    {
        await Replicate.CreateModelAsync();
        var input = new JsonObject { ["input_images"] = "https://example.com/data.zip" };

        var token = await Replicate.GetAsync("/v1/account", "r8_wrong");
        var destination = await Replicate.TrainAsync(input, destination: "<invalid>");

        Assert.Equal("{\"title\":\"Unauthenticated\",\"detail\":\"You did not pass a valid authentication token\",\"status\":401}\n", token.Text);
        Assert.Equal(98, token.Bytes.Length);
        Assert.Equal("{\"detail\":\"The specified training destination does not exist\",\"status\":404}\n", destination.Text);
        Assert.Equal(76, destination.Bytes.Length);
        Assert.All([token, destination], answer => Assert.Equal("application/problem+json", answer.ContentType));
    }

    private static void Alike(string recorded, JsonNode given, params string[] newer) => Alike(JsonNode.Parse(recorded)!.AsObject(), given.AsObject(), newer, "");

    private static void Alike(JsonObject recorded, JsonObject given, string[] newer, string path)
    {
        Assert.Equal(recorded.Select(field => path + field.Key).Order(StringComparer.Ordinal), given.Select(field => field.Key).Except(newer).Select(key => path + key).Order(StringComparer.Ordinal));
        foreach (var (name, value) in recorded)
        {
            if (value is JsonObject inner)
            {
                Alike(inner, Assert.IsType<JsonObject>(given[name]), newer, path + name + ".");
                continue;
            }

            Assert.Equal((path + name, value?.GetValueKind() ?? JsonValueKind.Null), (path + name, given[name]?.GetValueKind() ?? JsonValueKind.Null));
            if (value?.GetValueKind() == JsonValueKind.String)
            {
                Assert.Equal((path + name, Format((string)value!)), (path + name, Format((string)given[name]!)));
            }
        }
    }

    private static string Format(string value) =>
        TimePattern().IsMatch(value) ? "time" :
        IdPattern().IsMatch(value) ? "id" :
        DigestPattern().IsMatch(value) ? "digest" :
        value.StartsWith("http", StringComparison.Ordinal) ? new Uri(value).AbsolutePath.Split('/') is ["", "v1", ..] path ? $"api {path[2]} {path.Length}" : "url" :
        "text";

    [GeneratedRegex(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z$")]
    private static partial Regex TimePattern();

    [GeneratedRegex("^(?:[0-9a-z]{26}|[0-9A-Za-z]{48})$")]
    private static partial Regex IdPattern();

    [GeneratedRegex("^[0-9a-f]{64}$")]
    private static partial Regex DigestPattern();
}
