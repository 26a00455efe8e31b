using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Flurrty.ServiceDefaults.Problems;
using Flurrty.ServiceDefaults.Tickets;
using Microsoft.AspNetCore.Http;

namespace Flurrty.RegistryService.Tests.Identities;

[Collection(RegistryCollection.Name)]
public sealed class CreateIdentityTests(RegistryFixture fixture)
{
    private readonly Guid _account = Guid.CreateVersion7();

    [Fact]
    public async Task Create_ValidRequest_SealsStoresAndAsksForTheTraining()
    {
        fixture.SealWith(12);
        fixture.Uploads.Calls.Clear();
        await using var detached = fixture.Start();
        var client = detached.ClientOf(_account);
        var set = Guid.CreateVersion7();
        using var response = await client.CreateAsync(new { name = "Dad", photo_set_id = set, preset = "high", customization = new { style = "Realistic" } });
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        var identity = await response.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal($"/api/identities/{identity.Id()}", response.Headers.Location!.OriginalString);
        Assert.Equal(("Dad", "pending", "auto", 0, 1), (identity.Text("identity_name"), identity.Text("status"), identity.Text("provider"), identity.GetProperty("progress").GetInt32(), identity.GetProperty("version").GetInt32()));
        Assert.Equal(12, identity.GetProperty("num_training_images").GetInt32());
        Assert.Equal("""{"preset":"high","steps":2000,"rank":32,"learning_rate":0.0002,"resolution":"512,768,1024"}""", identity.GetProperty("training_config").GetRawText());
        Assert.Equal("""{"style":"Realistic"}""", identity.GetProperty("customization").GetRawText());
        Assert.StartsWith("dad-", identity.Text("model_id"), StringComparison.Ordinal);
        Assert.Equal(JsonValueKind.Null, identity.GetProperty("model").ValueKind);

        var seal = Assert.Single(fixture.Uploads.Calls);
        Assert.Equal(("PUT", $"/internal/seals/{identity.VersionId()}"), (seal.Method, seal.Path));
        Assert.Equal(new Caller(_account, TicketKind.Service, "registry"), seal.Caller);
        Assert.Equal(set, seal.Body!.Value.GetProperty("photo_set_id").GetGuid());
        Assert.Equal(identity.Text("trigger_word"), seal.Body!.Value.Text("trigger_word"));
        Assert.Matches("^flr[a-z2-7]{6}$", identity.Text("trigger_word"));

        var command = JsonElement.Parse(await OutboxBodyAsync(identity.VersionId()));
        Assert.Equal(_account, command.GetProperty("AccountId").GetGuid());
        Assert.Equal(identity.Id(), command.GetProperty("IdentityId").GetGuid());
        Assert.Equal((2000, 32, 0.0002, "512,768,1024", "auto", "high"), (
            command.GetProperty("Steps").GetInt32(),
            command.GetProperty("Rank").GetInt32(),
            command.GetProperty("LearningRate").GetDouble(),
            command.Text("Resolution"),
            command.Text("Provider"),
            command.Text("Preset")));
        Assert.DoesNotContain("Dad", command.GetRawText(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(404, "photo_set_not_found")]
    [InlineData(422, "too_few_photos")]
    [InlineData(422, "too_many_photos")]
    [InlineData(422, "consent_missing")]
    public async Task Create_SetCannotBeSealed_RelaysTheReasonAndStoresNothing(int status, string code)
    {
        fixture.Uploads.Handler = (context, _) => Problem.WriteAsync(context, Problem.Details(status, code, "The set cannot be used.", "Do this."));
        using var response = await Client().CreateAsync(Body());
        Assert.Equal(status, (int)response.StatusCode);
        Assert.Equal(code, await response.CodeAsync());
        await AssertNothingStoredAsync();
    }

    [Theory]
    [InlineData(500)]
    [InlineData(503)]
    [InlineData(401)]
    [InlineData(404)]
    [InlineData(200)]
    public async Task Create_UploadServiceMisbehaves_AsksToComeBackAndStoresNothing(int status)
    {
        fixture.Uploads.Handler = (context, _) =>
        {
            context.Response.StatusCode = status;
            return context.Response.WriteAsync("<html>");
        };
        using var response = await Client().CreateAsync(Body());
        await AssertAwayAsync(response);
    }

    [Fact]
    public async Task Create_UploadServiceIsAway_AsksToComeBackAndStoresNothing()
    {
        await using var lonely = fixture.Start(("services:uploads:http:0", "http://127.0.0.1:1"));
        using var response = await lonely.ClientOf(_account).CreateAsync(Body());
        await AssertAwayAsync(response);
    }

    [Fact]
    public async Task Create_BrokerIsAway_IsStillAccepted()
    {
        fixture.SealWith(3);
        await using var detached = fixture.Start();
        var identity = await detached.ClientOf(_account).CreatedAsync(Body());
        Assert.Equal("pending", identity.Text("status"));
        Assert.Equal(1, await fixture.CountAsync("SELECT count(*) FROM outbox_messages WHERE account_id = $1", _account));
    }

    [Theory]
    [InlineData("{\"name\":\"Dad\",", "application/json", 400, "invalid_json")]
    [InlineData("{\"name\":\"Dad\",\"name\":\"Mum\"}", "application/json", 400, "invalid_json")]
    [InlineData("", "application/json", 400, "invalid_json")]
    [InlineData("\u0000", "application/json", 400, "invalid_json")]
    [InlineData("null", "application/json", 422, "invalid_json")]
    [InlineData("name=Dad", "application/x-www-form-urlencoded", 415, "unsupported_media_type")]
    [InlineData("{\"name\":\"Dad\",\"photo_set_id\":\"0193b5a0-0000-7000-8000-000000000001\",\"preset\":\"x\",\"provider\":\"y\"}", "application/json", 422, "validation_failed")]
    [InlineData("{\"name\":\"Dad\",\"photo_set_id\":\"0193b5a0-0000-7000-8000-000000000001\",\"preset\":\"x\"}", "application/json; charset=utf-8", 422, "unknown_preset")]
    public async Task Create_UnreadableOrWrongBody_IsAProblem(string body, string type, int status, string code)
    {
        using var content = new StringContent(body, Encoding.UTF8);
        content.Headers.Remove("Content-Type");
        content.Headers.TryAddWithoutValidation("Content-Type", type);
        using var response = await Client().PostAsync(new Uri("/api/identities", UriKind.Relative), content);
        Assert.Equal((status, code), ((int)response.StatusCode, await response.CodeAsync()));
    }

    [Theory]
    [InlineData("", "The body is empty.")]
    [InlineData(" \r\n", "The body is empty.")]
    [InlineData("{\"name\":\"Dad\",\"name\":\"Mum\"}", "A key stands twice")]
    [InlineData("{\"\\ud800\":1}", "half of a surrogate pair")]
    [InlineData("{\"customization\":{\"a\":[{\"\\ud800\":1}]}}", "half of a surrogate pair")]
    [InlineData("{\n\"name\":", "See line 2")]
    [InlineData("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", "nested too deeply")]
    public async Task Create_UnreadableBody_SaysWhatIsWrong(string body, string detail)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var response = await Client().PostAsync(new Uri("/api/identities", UriKind.Relative), content);
        var problem = await response.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal((400, "invalid_json"), ((int)response.StatusCode, problem.Text("code")));
        Assert.Contains(detail, problem.Text("detail"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("application/json; charset=\"utf-8\"", 422, "validation_failed")]
    [InlineData("application/json; charset=UTF-8", 422, "validation_failed")]
    [InlineData("application/json", 422, "validation_failed")]
    [InlineData("application/json; charset=windows-1252", 415, "unsupported_charset")]
    [InlineData("application/json; charset=utf-7", 415, "unsupported_charset")]
    [InlineData("application/json; charset=nonsense", 415, "unsupported_charset")]
    public async Task Create_OfACharset_IsReadOrRefused(string type, int status, string code)
    {
        using var content = new ByteArrayContent([0xEF, 0xBB, 0xBF, .. "{\"preset\":\"x\"}"u8]);
        content.Headers.TryAddWithoutValidation("Content-Type", type);
        using var response = await Client().PostAsync(new Uri("/api/identities", UriKind.Relative), content);
        Assert.Equal((status, code), ((int)response.StatusCode, await response.CodeAsync()));
    }

    [Fact]
    public async Task Create_DeepOrLargeBody_IsAProblem()
    {
        using var deep = new StringContent(string.Concat(Enumerable.Repeat("{\"a\":", 5000)), Encoding.UTF8, "application/json");
        using var first = await Client().PostAsync(new Uri("/api/identities", UriKind.Relative), deep);
        Assert.Equal("invalid_json", await first.CodeAsync());
        using var large = new StringContent(new string(' ', 200 * 1024), Encoding.UTF8, "application/json");
        using var second = await Client().PostAsync(new Uri("/api/identities", UriKind.Relative), large);
        Assert.Equal("request_too_large", await second.CodeAsync());
    }

    [Fact]
    public async Task Create_ManyFaults_ListsThemByField()
    {
        using var response = await Client().CreateAsync(new { name = "", photo_set_id = "x", colour = 1 });
        var problem = await response.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal(
            ["colour unknown_field", "name invalid_name", "photo_set_id invalid_photo_set_id"],
            problem.GetProperty("errors").EnumerateArray().Select(error => $"{error.Text("field")} {error.Text("code")}"));
    }

    [Fact]
    public async Task Create_SameKeyAndPayload_GivesTheSameIdentity()
    {
        fixture.SealWith(5);
        var body = Body();
        var first = await Client().CreatedAsync(body, "key-1");
        using var response = await Client().CreateAsync(body, "key-1");
        Assert.Equal("true", Assert.Single(response.Headers.GetValues("Idempotency-Replayed")));
        Assert.Equal(first.Id(), (await response.Content.ReadFromJsonAsync<JsonElement>()).Id());
        Assert.NotEqual(first.Id(), (await Client().CreatedAsync(body, "key-2")).Id());
        Assert.NotEqual(first.Id(), (await Client().CreatedAsync(body)).Id());
        Assert.NotEqual(first.Id(), (await fixture.Registry.ClientOf(Guid.CreateVersion7()).CreatedAsync(body, "key-1")).Id());
    }

    [Fact]
    public async Task Create_SameKeyOtherPayload_IsRefused()
    {
        fixture.SealWith(5);
        await Client().CreatedAsync(Body(), "key");
        using var response = await Client().CreateAsync(Body("Mum"), "key");
        Assert.Equal((422, "idempotency_key_reused"), ((int)response.StatusCode, await response.CodeAsync()));
    }

    [Fact]
    public async Task Create_SameKeyManyTimesAtOnce_CreatesOne()
    {
        fixture.SealWith(5);
        var client = Client();
        var body = Body();
        fixture.Registry.Log.Clear();
        var identities = await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => client.CreatedAsync(body, "race")));
        Assert.Single(identities.Select(identity => identity.Id()).Distinct());
        Assert.Equal(1, await fixture.CountAsync("SELECT count(*) FROM identities WHERE account_id = $1", _account));
        Assert.Equal(1, await fixture.CountAsync("SELECT count(*) FROM versions WHERE account_id = $1", _account));

        // A lost race is no error, so none is logged.
        Assert.DoesNotContain(fixture.Registry.Log, line => line.StartsWith("Error", StringComparison.Ordinal) || line.StartsWith("Critical", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Create_RepeatedAfterTheSealAlone_SealsUnderTheSameId()
    {
        var body = Body();
        fixture.Uploads.Calls.Clear();
        fixture.Uploads.Handler = (context, _) =>
        {
            context.Abort();
            return Task.CompletedTask;
        };
        using var lost = await Client().CreateAsync(body, "key");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, lost.StatusCode);
        fixture.SealWith(5);
        var identity = await Client().CreatedAsync(body, "key");
        Assert.Equal([$"/internal/seals/{identity.VersionId()}"], fixture.Uploads.Calls.Select(call => call.Path).Distinct(StringComparer.Ordinal));
        Assert.Single(fixture.Uploads.Calls.Select(call => call.Body!.Value.Text("trigger_word")).Distinct(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("")]
    [InlineData("256")]
    public async Task Create_KeyThatIsNone_IsRefused(string key)
    {
        using var response = await Client().CreateAsync(Body(), key.Length == 0 ? "" : new string('k', 256));
        Assert.Equal((400, "idempotency_key_invalid"), ((int)response.StatusCode, await response.CodeAsync()));
    }

    [Fact]
    public async Task Request_WithoutTicket_IsRefused()
    {
        Client().Dispose();
        using var stranger = new HttpClient { BaseAddress = fixture.Registry.ClientOptions.BaseAddress };
        using var response = await stranger.GetAsync(new Uri("/api/identities", UriKind.Relative));
        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
    }

    private static object Body(string name = "Dad") => new { name, photo_set_id = Guid.Parse("0193b5a0-0000-7000-8000-000000000001") };

    private HttpClient Client() => fixture.Registry.ClientOf(_account);

    private async Task AssertAwayAsync(HttpResponseMessage response)
    {
        Assert.Equal((503, "photo_sets_unavailable"), ((int)response.StatusCode, await response.CodeAsync()));
        Assert.True(response.Headers.RetryAfter?.Delta > TimeSpan.Zero, "Retry-After is missing.");
        await AssertNothingStoredAsync();
    }

    private async Task AssertNothingStoredAsync()
    {
        Assert.Equal(0, await fixture.CountAsync("SELECT count(*) FROM identities WHERE account_id = $1", _account));
        Assert.Equal(0, await fixture.CountAsync("SELECT count(*) FROM outbox_messages WHERE account_id = $1", _account));
    }

    private async Task<string> OutboxBodyAsync(Guid versionId)
    {
        await using var command = fixture.Everything.CreateCommand("SELECT body::text FROM outbox_messages WHERE queue = 'train-identity' AND body->>'JobId' = $1");
        command.Parameters.Add(new Npgsql.NpgsqlParameter { Value = versionId.ToString() });
        return (string)(await command.ExecuteScalarAsync())!;
    }
}
