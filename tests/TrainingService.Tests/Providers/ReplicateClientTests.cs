using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.Json;
using Flurrty.TrainingService.Jobs;
using Flurrty.TrainingService.Providers;
using Flurrty.TrainingService.Providers.Replicate;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Flurrty.TrainingService.Tests.Providers;

/// <summary>The client against the recorded facts of Replicate's protocol.</summary>
public sealed class ReplicateClientTests : IAsyncLifetime
{
    private static readonly Guid Installation = Guid.Parse("6fa459ea-ee8a-3ca4-894e-db77e160355e");

    private readonly ConcurrentQueue<(string Method, string Path, string? Authorization, string? ContentType, long? Length, byte[] Body)> _requests = new();
    private readonly ConcurrentDictionary<string, Queue<Func<HttpContext, Task>>> _answers = new(StringComparer.Ordinal);
    private WebApplication _server = null!;
    private ServiceProvider _services = null!;
    private Uri _address = null!;

    private ReplicateClient Client => _services.GetRequiredService<ReplicateClient>();

    private ReplicateArtifacts Artifacts => _services.GetRequiredService<ReplicateArtifacts>();

    private ITrainingProvider Provider => _services.GetRequiredService<ITrainingProvider>();

    public async Task InitializeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        _server = builder.Build();
        _server.Run(AnswerAsync);
        await _server.StartAsync();
        _address = new Uri(_server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());

        var host = Host.CreateApplicationBuilder();
        host.Configuration["Installation:Id"] = Installation.ToString();
        host.Configuration["Replicate:Mode"] = "sandbox";
        host.Configuration["Replicate:BaseUrl"] = new Uri(_address, "/v1").ToString();
        host.Configuration["Replicate:ApiToken"] = "r8_secret";
        host.Configuration["Replicate:FirstPause"] = "00:00:00.01";
        host.Configuration["Replicate:MaxPause"] = "00:00:01.5";
        host.Configuration["Replicate:RequestTimeout"] = "00:00:10";
        host.Services.AddSingleton(TimeProvider.System);
        host.AddProviders();
        _services = host.Services.BuildServiceProvider();
    }

    public async Task DisposeAsync()
    {
        await _services.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task Upload_StreamsOneMultipartOfKnownLengthWithItsName()
    {
        On("POST /v1/files", 201, """{"id":"ZmlsZQ","name":"x.zip","size":5,"checksums":{"sha256":"abc","md5":"d"},"urls":{"get":"https://api.replicate.com/v1/files/ZmlsZQ"},"expires_at":"2026-11-21T00:00:00.123456789Z"}""");

        var file = await Client.UploadFileAsync(Source("hello"), Installation, CancellationToken.None);

        Assert.Equal("ZmlsZQ", file.Id);
        var request = Assert.Single(_requests);
        var body = Encoding.UTF8.GetString(request.Body);
        Assert.StartsWith("multipart/form-data", request.ContentType, StringComparison.Ordinal);
        Assert.Equal(request.Body.Length, request.Length);
        Assert.Contains("name=content", body, StringComparison.Ordinal);
        Assert.Contains("filename=x.zip", body, StringComparison.Ordinal);
        Assert.Contains("application/zip", body, StringComparison.Ordinal);
        Assert.Contains("hello", body, StringComparison.Ordinal);
        Assert.Contains($$"""{"flurrty_installation":"{{Installation}}"}""", body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Upload_AnsweredWithAnotherChecksum_IsDeletedAndRefused()
    {
        On("POST /v1/files", 201, """{"id":"ZmlsZQ","size":5,"checksums":{"sha256":"other"},"urls":{"get":"https://api.replicate.com/v1/files/ZmlsZQ"}}""");
        On("DELETE /v1/files/ZmlsZQ", 204, "");

        var problem = await Assert.ThrowsAsync<ProviderException>(() => Provider.UploadInputAsync(Source("hello"), CancellationToken.None));

        Assert.Equal(ErrorCategory.Network, problem.Category);
        Assert.Contains(_requests, static request => request.Method == "DELETE");
    }

    [Fact]
    public async Task Reads_AreRepeatedAfterTransientAnswersOnly()
    {
        On("GET /v1/account", 503, "", 429, """{"detail":"Request was throttled. Expected available in 1 second."}""", 200, """{"type":"user","username":"someone"}""");
        On("GET /v1/trainings/a", 401, """{"title":"Unauthenticated","detail":"You did not pass a valid authentication token","status":401}""");

        var account = await Client.GetAccountAsync(CancellationToken.None);
        var problem = await Assert.ThrowsAsync<ProviderException>(() => Client.GetTrainingAsync("a", CancellationToken.None));

        Assert.Equal("someone", account.Username);
        Assert.Equal(ErrorCategory.Authentication, problem.Category);
        Assert.Equal(4, _requests.Count);
        Assert.All(_requests, static request => Assert.Equal("Bearer r8_secret", request.Authorization));
    }

    [Fact]
    public async Task Reads_ToldToWaitLong_LeaveTheWaitToTheCaller()
    {
        On("GET /v1/account", 429, """{"detail":"Your rate limit resets in ~30s."}""");

        var problem = await Assert.ThrowsAsync<ProviderException>(() => Client.GetAccountAsync(CancellationToken.None));

        Assert.Equal(TimeSpan.FromSeconds(30), problem.RetryAfter);
        Assert.Single(_requests);
    }

    [Theory]
    [InlineData(500)]
    [InlineData(502)]
    [InlineData(503)]
    [InlineData(504)]
    [InlineData(400)]
    [InlineData(409)]
    [InlineData(302)]
    public async Task Submission_AnsweredWithoutProof_IsUnknownAndNotRepeated(int status)
    {
        OnSubmission(status, "{}");

        var outcome = await SubmitAsync();

        Assert.IsType<SubmissionOutcome.Unknown>(outcome);
        Assert.Single(_requests);
    }

    [Theory]
    [InlineData(401, false)]
    [InlineData(402, false)]
    [InlineData(404, true)]
    [InlineData(422, false)]
    [InlineData(429, false)]
    public async Task Submission_AnsweredWithProof_IsRefusedAndNotRepeated(int status, bool destinationMissing)
    {
        OnSubmission(status, """{"detail":"no"}""");

        var outcome = Assert.IsType<SubmissionOutcome.Refused>(await SubmitAsync());

        Assert.Equal(destinationMissing, outcome.DestinationMissing);
        Assert.Single(_requests);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("{\"status\":\"starting\"}")]
    public async Task Submission_AcceptedWithoutAName_IsUnknown(string body)
    {
        OnSubmission(201, body);

        Assert.IsType<SubmissionOutcome.Unknown>(await SubmitAsync());
    }

    [Fact]
    public async Task Submission_Dropped_IsUnknownAndNotRepeated()
    {
        OnSubmission(context =>
        {
            context.Abort();
            return Task.CompletedTask;
        });

        Assert.IsType<SubmissionOutcome.Unknown>(await SubmitAsync());
        Assert.Single(_requests);
    }

    [Fact]
    public async Task Submission_NeverAnswered_IsUnknownAtItsTimeout()
    {
        OnSubmission(context => Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(static _ => { }, TaskScheduler.Default));

        var outcome = Assert.IsType<SubmissionOutcome.Unknown>(await SubmitAsync(TimeSpan.FromMilliseconds(300)));

        Assert.Equal(ErrorCategory.Timeout, outcome.Problem.Category);
        Assert.Single(_requests);
    }

    [Fact]
    public async Task Submission_WithNobodyListening_IsRefusedBecauseNothingWasSent()
    {
        await _server.StopAsync();

        var outcome = Assert.IsType<SubmissionOutcome.Refused>(await SubmitAsync());

        Assert.Equal(ErrorCategory.Network, outcome.Problem.Category);
    }

    [Fact]
    public async Task Submission_SaysWhatTheTrainerNeeds_AndNeverAHub()
    {
        OnSubmission(201, """{"id":"z4bc1tcp51rm00chtetae3jcx8","status":"starting","created_at":"2024-09-10T05:10:35.123456789Z","logs":null,"output":null,"error":null}""");

        var outcome = Assert.IsType<SubmissionOutcome.Created>(await SubmitAsync());

        Assert.Equal("z4bc1tcp51rm00chtetae3jcx8", outcome.Run.Id);
        Assert.Equal(RunStatus.Queued, outcome.Run.Status);
        Assert.Equal(2024, outcome.Run.CreatedAt?.Year);
        var body = JsonDocument.Parse(Assert.Single(_requests).Body).RootElement;
        Assert.Equal("someone/flurrty-abc", body.GetProperty("destination").GetString());
        Assert.Equal(["start", "completed"], body.GetProperty("webhook_events_filter").EnumerateArray().Select(static name => name.GetString()));
        Assert.Equal(
            ["autocaption", "batch_size", "input_images", "learning_rate", "lora_rank", "resolution", "steps", "trigger_word"],
            body.GetProperty("input").EnumerateObject().Select(static field => field.Name).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Run_IsFoundByItsFileOverPages_AndTheTokenGoesToNoOtherHost()
    {
        const string Page = """{"next":"https://evil.example/v1/trainings?cursor=two","previous":null,"results":[{"id":"other","status":"succeeded","created_at":"2026-11-20T10:00:00Z","input":{"input_images":"https://api.replicate.com/v1/files/b3RoZXI/download?expiry=1"}}]}""";
        const string Last = """{"next":null,"results":[{"id":"wanted","status":"processing","created_at":"2026-11-20T09:59:00Z","input":{"input_images":"https%3A%2F%2Fapi.replicate.com%2Fv1%2Ffiles%2FZmls%5FQ-8%2Fdownload"}}]}""";
        On("GET /v1/trainings", 200, Page);
        On("GET /v1/trainings?cursor=two", 200, Last);
        On("GET /v1/trainings/wanted", 200, """{"id":"wanted","status":"processing","logs":"flux_train_replicate:  50%|█████     | 500/1000 [05:00<05:00,  1.6it/s]"}""");

        var (run, _) = await Provider.FindAsync("Zmls_Q-8", runId: null, DateTimeOffset.Parse("2026-11-20T09:00:00Z"), CancellationToken.None);

        Assert.Equal("wanted", run?.Id);
        Assert.Equal(500, run?.Progress?.Step);
        Assert.Equal(3, _requests.Count);
    }

    [Fact]
    public async Task Run_OlderThanTheIntent_EndsTheSearch()
    {
        On("GET /v1/trainings", 200, """{"next":"https://api.replicate.com/v1/trainings?cursor=two","results":[{"id":"old","status":"succeeded","created_at":"2026-11-20T08:00:00Z","input":{}}]}""");

        var found = await Provider.FindAsync("ZmlsZQ", runId: null, DateTimeOffset.Parse("2026-11-20T09:00:00Z"), CancellationToken.None);

        Assert.Equal(new RunSearch(Run: null, CannotTell: false), found);
        Assert.Single(_requests);
    }

    [Theory]
    [InlineData("""{"id":"b","created_at":"2026-11-20T10:00:00Z","data_removed":true,"input":{}}""", true)]
    [InlineData("""{"id":"b","created_at":"2026-11-20T10:00:00Z","input":{}}""", true)]
    [InlineData("""{"id":"b","created_at":"2026-11-20T10:00:00Z"}""", true)]
    [InlineData("""{"id":"b","created_at":"2026-11-20T10:00:00Z","data_removed":false,"input":{"input_images":"https://api.replicate.com/v1/files/other/download"}}""", false)]
    [InlineData("""{"id":"b","created_at":"2026-11-20T08:55:00Z","data_removed":true,"input":{}}""", false)]
    [InlineData("""{"id":"b","created_at":"2026-11-20T08:59:30Z","data_removed":true,"input":{}}""", true)]
    [InlineData("""{"id":"b","created_at":"2026-11-20T10:00:00Z","input":{"prompt":"a foreign training"}}""", false)]
    public async Task Run_NotInAListWhoseEntriesLostTheirInput_CannotBeTold(string entry, bool cannotTell)
    {
        var page = $$"""{"next":null,"results":[{{entry}}]}""";
        On("GET /v1/trainings", 200, page);
        var found = await Provider.FindAsync("ZmlsZQ", runId: null, DateTimeOffset.Parse("2026-11-20T09:00:00Z"), CancellationToken.None);

        Assert.Equal(new RunSearch(Run: null, cannotTell), found);

        On("GET /v1/trainings", 200, page);
        // By the name that the provider gave it, a run is told all the same.
        Assert.Equal(new RunSearch(Run: null, CannotTell: false), await Provider.FindAsync("ZmlsZQ", "a", DateTimeOffset.Parse("2026-11-20T09:00:00Z"), CancellationToken.None));
    }

    [Fact]
    public async Task Run_WithRawControlCharactersInItsLog_IsRead()
    {
        On("GET /v1/trainings/a", 200, "{\"id\":\"a\",\"status\":\"processing\",\"logs\":\"x\rflux_train_replicate:  12%|=   | 120/1000 [01:23<10:07,  1.45it/s]\r\u0007\",\"output\":null}");

        var run = await Provider.LookAsync("a", CancellationToken.None);

        Assert.Equal(120, run?.Progress?.Step);
    }

    [Fact]
    public async Task Run_RefusedByItsValidation_IsTheInputsFault()
    {
        On("GET /v1/trainings/a", 200, """{"id":"a","status":"failed","logs":"","output":null,"error":"Prediction input failed validation: {\"detail\":[{\"loc\":[\"body\",\"input\",\"steps\"]}]}"}""");

        var run = await Provider.LookAsync("a", CancellationToken.None);

        Assert.Equal(RunStatus.Failed, run?.Status);
        Assert.True(run?.InputRejected);
    }

    [Fact]
    public async Task Run_Unknown_IsNull()
    {
        On("GET /v1/trainings/a", 404, """{"detail":"not found"}""");

        Assert.Null(await Provider.LookAsync("a", CancellationToken.None));
    }

    [Fact]
    public async Task File_GoneAlready_IsDeletedAsWell()
    {
        On("DELETE /v1/files/a", 404, """{"detail":"File not found"}""");

        await Client.DeleteFileAsync("a", CancellationToken.None);

        Assert.Single(_requests);
    }

    [Fact]
    public async Task Artifact_RedirectingToAForeignHost_IsNotFollowed()
    {
        On("GET /delivery/a.tar", static context =>
        {
            context.Response.StatusCode = 302;
            context.Response.Headers.Location = "http://169.254.169.254/latest";
            return Task.CompletedTask;
        });

        var problem = await Assert.ThrowsAsync<ProviderException>(() => Artifacts.OpenAsync(new Uri(_address, "/delivery/a.tar"), CancellationToken.None));

        Assert.Equal(ErrorCategory.Validation, problem.Category);
    }

    [Fact]
    public async Task Artifact_OnAForeignHost_IsNotAskedFor()
    {
        var problem = await Assert.ThrowsAsync<ProviderException>(
            () => Artifacts.OpenAsync(new Uri("http://127.0.0.1:1/a.tar"), CancellationToken.None));

        Assert.Equal(ErrorCategory.Validation, problem.Category);
    }

    private static DatasetSource Source(string content) => new(
        _ => Task.FromResult<Stream>(new MemoryStream(Encoding.UTF8.GetBytes(content))), content.Length, "abc", "x.zip");

    private Task<SubmissionOutcome> SubmitAsync(TimeSpan? deadline = null) => Provider.SubmitAsync(
        new SubmissionPlan(
            "someone/flurrty-abc",
            "ostris/flux-dev-lora-trainer",
            "v1",
            new TrainingParameters { Steps = 100, Rank = 16, Resolution = "512", TriggerWord = "TOK" },
            new ProviderInput("ZmlsZQ", new Uri("https://api.replicate.com/v1/files/ZmlsZQ"))),
        new Uri("https://flurrty.example/webhooks/replicate/token"),
        deadline ?? TimeSpan.FromSeconds(10),
        CancellationToken.None);

    private void OnSubmission(int status, string body) => On("POST /v1/models/ostris/flux-dev-lora-trainer/versions/v1/trainings", status, body);

    private void OnSubmission(Func<HttpContext, Task> answer) => On("POST /v1/models/ostris/flux-dev-lora-trainer/versions/v1/trainings", answer);

    private void On(string request, params object[] statusAndBody)
    {
        foreach (var pair in statusAndBody.Chunk(2))
        {
            On(request, context =>
            {
                context.Response.StatusCode = (int)pair[0];
                context.Response.ContentType = "application/json";
                return pair[1] is string { Length: > 0 } body ? context.Response.WriteAsync(body) : Task.CompletedTask;
            });
        }
    }

    private void On(string request, Func<HttpContext, Task> answer) => _answers.GetOrAdd(request, static _ => new()).Enqueue(answer);

    private async Task AnswerAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        var request = context.Request;
        _requests.Enqueue((request.Method, request.Path, request.Headers.Authorization, request.ContentType, request.ContentLength, body.ToArray()));
        var key = $"{request.Method} {request.Path}{request.QueryString}";
        if (!_answers.TryGetValue(key, out var queue) || queue.Count == 0)
        {
            context.Response.StatusCode = (int)HttpStatusCode.NotImplemented;
            return;
        }

        await queue.Dequeue()(context);
    }
}
