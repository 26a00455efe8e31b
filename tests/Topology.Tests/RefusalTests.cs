using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Flurrty.Topology.Tests;

/// <summary>What is refused at the door, each with a problem of a stable code. The accepted twin of each stands in <see cref="PathTests"/> or beside it.</summary>
[Collection(SharedTopologyTests.Name)]
public sealed class RefusalTests(SharedTopology shared)
{
    private const int Megabyte = 1024 * 1024;

    private RunningTopology Topology => shared.Topology;

    [Fact]
    public async Task Request_WithoutKeyOrWithAWrongOne_Is401()
    {
        using var none = new HttpClient { BaseAddress = Topology.Client.BaseAddress };
        await AssertProblemAsync(await none.GetAsync(Relative("/api/identities")), HttpStatusCode.Unauthorized, "api_key_missing");
        using var wrong = new HttpClient { BaseAddress = Topology.Client.BaseAddress };
        wrong.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", "flr_00000000000000000000000000000000");
        await AssertProblemAsync(await wrong.GetAsync(Relative("/api/identities")), HttpStatusCode.Unauthorized, "api_key_invalid");
        using var right = await Topology.Client.GetAsync(Relative("/api/identities"));
        Assert.Equal(HttpStatusCode.OK, right.StatusCode);
    }

    [Theory]
    [InlineData("/internal/seals/00000000-0000-0000-0000-000000000001")]
    [InlineData("/nowhere")]
    public async Task Request_ForNoRoute_Is404(string path) =>
        await AssertProblemAsync(await Topology.Client.GetAsync(Relative(path)), HttpStatusCode.NotFound, "route_not_found");

    [Fact]
    public async Task Photos_ForASetThatIsNotThere_Are404HoweverManyTheyAre()
    {
        using var form = new MultipartFormDataContent();
        for (var i = 0; i < 4; i++)
        {
            form.Add(new ByteArrayContent(new byte[15 * Megabyte]), "photos", $"{i}.jpg");
        }

        using var response = await Topology.Client.PostAsync(Relative($"/api/photo-sets/{Guid.NewGuid()}/photos"), form);
        await AssertProblemAsync(response, HttpStatusCode.NotFound, "photo_set_not_found");
    }

    [Fact]
    public async Task Service_WithoutTicket_Is401()
    {
        foreach (var service in new[] { "uploads", "training", "registry" })
        {
            using var direct = Topology.App.CreateHttpClient(service);
            using var response = await direct.GetAsync(Relative("/api/identities"));
            Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        }
    }

    [Fact]
    public async Task DeadLetters_AreForTheOperatorAlone_AndACommandOfTheBroker()
    {
        const string Letters = "/api/operator/dead-letters";
        await AssertProblemAsync(await Topology.Client.GetAsync(Relative(Letters)), HttpStatusCode.Forbidden, "operator_key_required");
        using var person = new HttpClient { BaseAddress = Topology.Client.BaseAddress };
        person.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", (string)Topology.File["operator_key"]!);
        await AssertProblemAsync(await person.GetAsync(Relative("/api/identities")), HttpStatusCode.Forbidden, "user_key_required");
        Assert.NotNull((await person.GetFromJsonAsync<JsonObject>(Relative(Letters)))!["letters"]);

        var shown = await Topology.App.ResourceCommands.ExecuteCommandAsync("rabbitmq", "dead-letters");
        Assert.True(shown.Success, shown.Message);
        Assert.NotNull(JsonNode.Parse(shown.Data!.Value)!["letters"]);
    }

    [Fact]
    public async Task Identity_OfTooFewPhotos_IsRefused()
    {
        var set = await Topology.UploadAsync(Topology.Client, photos: 2);
        await AssertProblemAsync(await RequestAsync(Topology.Client, set, "auto"), HttpStatusCode.UnprocessableEntity, "too_few_photos");
    }

    [Fact]
    public async Task Identity_WithoutConsent_IsRefusedUntilItIsGiven()
    {
        var set = await Topology.UploadAsync(Topology.Client, photos: 3, consent: false);
        await AssertProblemAsync(await RequestAsync(Topology.Client, set, "auto"), HttpStatusCode.UnprocessableEntity, "consent_missing");
        await Topology.ConsentAsync(Topology.Client, set);
        using var accepted = await RequestAsync(Topology.Client, set, "auto");
        Assert.Equal(HttpStatusCode.Accepted, accepted.StatusCode);
    }

    [Fact]
    public async Task Photos_Beyond40_AreRefused()
    {
        var set = await RunningTopology.PostAsync(Topology.Client, "/api/photo-sets", new JsonObject { ["name"] = "Many" });
        using var form = new MultipartFormDataContent();
        for (var i = 0; i < 41; i++)
        {
            Add(form, Unique(i), $"{i}.jpg");
        }

        using var response = await PostPhotosAsync(set, form);
        var answer = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.True(response.StatusCode == HttpStatusCode.Created, answer.ToJsonString());
        Assert.Equal(40, answer["photos"]!.AsArray().Count);
        Assert.Equal("too_many_photos", (string)Assert.Single(answer["rejected"]!.AsArray())!["code"]!);
    }

    [Fact]
    public async Task Photo_ThatIsNone_IsRefusedByReason()
    {
        await AssertPhotoAsync("Not a photo at all"u8.ToArray(), "text.jpg", HttpStatusCode.UnprocessableEntity, "photo_not_an_image");
        var whole = Unique(99);
        await AssertPhotoAsync(whole[..(whole.Length / 2)], "half.jpg", HttpStatusCode.UnprocessableEntity, "photo_truncated");
        var large = new byte[21 * Megabyte];
        whole.CopyTo(large, 0);
        await AssertPhotoAsync(large, "large.jpg", HttpStatusCode.RequestEntityTooLarge, "photo_too_large");
        await AssertPhotoAsync(whole, "whole.jpg", HttpStatusCode.Created, code: null);
    }

    [Fact]
    public async Task Identity_OfSomebodyElsesPhotos_Is404()
    {
        var set = await Topology.UploadAsync(Topology.Client, photos: 3);
        await AssertProblemAsync(await RequestAsync(Topology.Guest, set, "auto"), HttpStatusCode.NotFound, "photo_set_not_found");
        using var own = await RequestAsync(Topology.Client, set, "auto");
        Assert.Equal(HttpStatusCode.Accepted, own.StatusCode);
        var id = (string)JsonNode.Parse(await own.Content.ReadAsStringAsync())!["id"]!;
        using var foreign = await Topology.Guest.GetAsync(Relative($"/api/identities/{id}"));
        Assert.Equal(HttpStatusCode.NotFound, foreign.StatusCode);
        using var foreignSet = await Topology.Guest.GetAsync(Relative($"/api/photo-sets/{set["id"]}"));
        Assert.Equal(HttpStatusCode.NotFound, foreignSet.StatusCode);
        await Topology.WaitForEndAsync(Topology.Client, id, Deadline.Journey);
    }

    [Fact]
    public async Task Identity_AtAnUnknownProvider_IsRefused()
    {
        var set = await Topology.UploadAsync(Topology.Client, photos: 3);
        await AssertProblemAsync(await RequestAsync(Topology.Client, set, "nobody"), HttpStatusCode.UnprocessableEntity, "unknown_provider");
    }

    private static Uri Relative(string path) => new(path, UriKind.Relative);

    private static byte[] Unique(int n)
    {
        // The same picture under another comment is another file.
        var jpeg = System.IO.File.ReadAllBytes(Directory.EnumerateFiles(RunningTopology.SamplePhotos, "*.jpg").Order(StringComparer.Ordinal).First());
        byte[] comment = [0xff, 0xfe, 0, 6, (byte)(n >> 8), (byte)n, 1, 2];
        return [.. jpeg[..2], .. comment, .. jpeg[2..]];
    }

    private static void Add(MultipartFormDataContent form, byte[] bytes, string name)
    {
        var part = new ByteArrayContent(bytes);
        part.Headers.ContentType = new MediaTypeHeaderValue("image/jpeg");
        form.Add(part, "photos", name);
    }

    private static async Task AssertProblemAsync(HttpResponseMessage response, HttpStatusCode status, string code)
    {
        using (response)
        {
            var text = await response.Content.ReadAsStringAsync();
            Assert.True(response.StatusCode == status, $"{(int)response.StatusCode} {text}");
            Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
            var problem = JsonNode.Parse(text)!;
            Assert.Equal(code, (string?)problem["code"]);
            Assert.False(string.IsNullOrWhiteSpace((string?)problem["detail"]), text);
        }
    }

    private Task<HttpResponseMessage> RequestAsync(HttpClient client, JsonObject set, string provider) =>
        client.PostAsJsonAsync(Relative("/api/identities"), new JsonObject { ["name"] = "Sample", ["photo_set_id"] = set["id"]!.DeepClone(), ["provider"] = provider });

    private Task<HttpResponseMessage> PostPhotosAsync(JsonObject set, HttpContent form) => Topology.Client.PostAsync(Relative($"/api/photo-sets/{set["id"]}/photos"), form);

    private async Task AssertPhotoAsync(byte[] bytes, string name, HttpStatusCode status, string? code)
    {
        var set = await RunningTopology.PostAsync(Topology.Client, "/api/photo-sets", new JsonObject { ["name"] = name });
        using var form = new MultipartFormDataContent();
        Add(form, bytes, name);
        var response = await PostPhotosAsync(set, form);
        if (code is not null)
        {
            await AssertProblemAsync(response, status, code);
            return;
        }

        Assert.Equal(status, response.StatusCode);
        response.Dispose();
    }
}
