using System.Text.Json.Nodes;

namespace Flurrty.Conformance.Tests;

/// <summary>The npm client <c>tus-js-client</c>, as published, through the gateway.</summary>
public sealed class TusClientTests(TusClientFixture fixture) : IClassFixture<TusClientFixture>
{
    [Fact]
    public async Task Client_OverAConnectionThatDrops_ResumesWhereTheServiceStands()
    {
        var result = await fixture.RunAsync("flow.mjs");
        var text = result.ToJsonString();

        // Cut twice; each time the client asked and went on from what was kept.
        var bytes = (long)result["bytes"]!;
        Assert.Equal(2, (int)result["cuts"]!);
        Assert.True(result["dropped"]!["error"] is null, text);
        var seen = result["dropped"]!["seen"]!.AsArray();
        Assert.Equal(201, (int)seen[0]!["status"]!);
        Assert.NotNull((string?)seen[0]!["expires"]);
        var stood = seen.Where(one => (string)one!["method"]! == "HEAD").Select(one => (long)one!["offset"]!).ToArray();
        Assert.True(stood.Length >= 2, text);
        Assert.Equal(stood.Distinct().Order(), stood);
        Assert.All(stood, offset => Assert.InRange(offset, 1_000_000, bytes - 1));
        Assert.Equal(204, (int)seen[^1]!["status"]!);
        Assert.Equal("accepted", (string?)result["state"]!["body"]!["state"]);
        Assert.Equal((string?)result["sha256"], (string?)result["state"]!["body"]!["photo"]!["source_sha256"]);
        Assert.EndsWith((string)result["state"]!["body"]!["photo"]!["id"]!, (string?)seen[^1]!["location"], StringComparison.Ordinal);
        Assert.Equal(1, (int)result["count"]!);

        // Left alone by one client, finished by another.
        Assert.True((long)result["left"]!["accepted"]! >= 3_000_000, text);
        Assert.True(result["resumed"]!["error"] is null, text);
        var first = result["resumed"]!["seen"]![0]!;
        Assert.Equal(("HEAD", 200), ((string)first["method"]!, (int)first["status"]!));
        Assert.InRange((long)first["offset"]!, 3_000_000, bytes);
        Assert.Equal(2, (int)result["after"]!);

        // Terminated.
        Assert.Equal(404, (int)result["gone"]!["status"]!);
        Assert.Equal("upload_not_found", (string?)result["gone"]!["body"]!["code"]);

        Assert.Equal((422, "photo_not_an_image"), Problem(result["text"]!));
        Assert.Equal((413, "photo_too_large"), Problem(result["large"]!));
    }

    private static (int Status, string? Code) Problem(JsonNode upload) => ((int)upload["error"]!["status"]!, (string?)upload["error"]!["body"]!["code"]);
}
