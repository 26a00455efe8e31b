using System.Net;
using Amazon.S3;
using Amazon.S3.Model;

namespace Flurrty.Infrastructure.Tests;

public sealed class S3Tests : NativeServerRules
{
    protected override string RequiredVariable => "FLURRTY_S3_USERS";

    internal override NativeServer Create() => new S3Server();

    [Fact]
    public async Task Accounts_OtherOnesBuckets_AreNotFoundAndWrongSecretsForbidden()
    {
        await using var server = new S3Server();
        await server.StartAsync();
        using var uploads = server.Connect("uploads:service", "secret-one");
        using var training = server.Connect("training:service", "secret-two");
        await uploads.PutBucketAsync("photos");
        await S3Server.PutAsync(uploads, "photos", "key", "value");

        var foreign = await Assert.ThrowsAnyAsync<AmazonS3Exception>(() => S3Server.GetAsync(training, "photos", "key"));
        Assert.Equal(HttpStatusCode.NotFound, foreign.StatusCode);
        foreign = await Assert.ThrowsAnyAsync<AmazonS3Exception>(() => S3Server.PutAsync(training, "photos", "key", "other"));
        Assert.Equal(HttpStatusCode.NotFound, foreign.StatusCode);
        Assert.Empty((await training.ListBucketsAsync()).Buckets ?? []);

        foreach (var (key, secret) in ((string, string)[])[("uploads:service", "secret-two"), ("uploads:nobody", "secret-one"), ("nobody:service", "secret-one")])
        {
            using var wrong = server.Connect(key, secret);
            var refused = await Assert.ThrowsAnyAsync<AmazonS3Exception>(() => S3Server.GetAsync(wrong, "photos", "key"));
            Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
        }
    }

    [Fact]
    public async Task Presigned_FromAnyOrigin_IsReadableUntilTamperedWith()
    {
        await using var server = new S3Server();
        await server.StartAsync();
        using var client = server.Connect("uploads:service", "secret-one");
        var url = await client.GetPreSignedURLAsync(new GetPreSignedUrlRequest { BucketName = "probe", Key = "key", Protocol = Protocol.HTTP, Expires = TimeProvider.System.GetUtcNow().UtcDateTime.AddMinutes(5) });
        using var http = new HttpClient();
        http.DefaultRequestHeaders.Add("Origin", "http://studio.example");

        using var found = await http.GetAsync(new Uri(url));

        Assert.Equal("value", await found.Content.ReadAsStringAsync());
        Assert.Equal(["http://studio.example"], found.Headers.GetValues("Access-Control-Allow-Origin"));
        using var ask = new HttpRequestMessage(HttpMethod.Options, url) { Headers = { { "Access-Control-Request-Method", "GET" }, { "Access-Control-Request-Headers", "range" } } };
        using var may = await http.SendAsync(ask);
        Assert.True(may.IsSuccessStatusCode, $"The preflight answer is {may.StatusCode}.");
        using var refused = await http.GetAsync(new Uri(url.Replace("/key", "/other", StringComparison.Ordinal)));
        Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
        using var anonymous = await http.GetAsync(new Uri($"http://127.0.0.1:{server.Port}/probe/key"));
        Assert.False(anonymous.IsSuccessStatusCode);
    }

    [Fact]
    public async Task Start_OnAnotherPort_ServesTheSameObjects()
    {
        await using var server = new S3Server();
        await server.StartAsync();
        using (var before = server.Connect("uploads:service", "secret-one"))
        {
            for (var i = 0; i < 40; i++)
            {
                await S3Server.PutAsync(before, "probe", $"kept/{i}", $"value {i}");
            }
        }

        await server.StopAsync();
        server.Port = NativeInfrastructure.NativeServer.FreePort();
        await server.StartAsync();

        using var after = server.Connect("uploads:service", "secret-one");
        Assert.Equal(40, (await after.ListObjectsV2Async(new ListObjectsV2Request { BucketName = "probe", Prefix = "kept/" })).S3Objects.Count);
        for (var i = 0; i < 40; i++)
        {
            Assert.Equal($"value {i}", await S3Server.GetAsync(after, "probe", $"kept/{i}"));
        }
    }

    [Fact]
    public async Task Kill_WhileWriting_EveryAcknowledgedObjectIsThere()
    {
        await using var server = new S3Server();
        await server.StartAsync();
        using var client = server.Connect("uploads:service", "secret-one");
        var written = 0;
        var writer = Task.Run(async () =>
        {
            while (true)
            {
                await S3Server.PutAsync(client, "probe", $"written/{written + 1}", $"value {written + 1}");
                written++;
            }
        });
        while (Volatile.Read(ref written) < 50)
        {
            Assert.False(writer.IsCompleted, writer.Exception?.ToString());
            await Task.Delay(10);
        }

        await server.KillEverythingAsync();
        await Assert.ThrowsAnyAsync<Exception>(() => writer);
        await server.StartAsync();

        for (var i = 1; i <= written; i++)
        {
            Assert.Equal($"value {i}", await S3Server.GetAsync(client, "probe", $"written/{i}"));
        }
    }
}
