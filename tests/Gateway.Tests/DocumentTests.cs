using System.Net;
using System.Text.Json;

namespace Flurrty.Gateway.Tests;

public sealed class DocumentTests(GatewayFixture gateway) : IClassFixture<GatewayFixture>
{
    private const string Registry = """
        {"openapi":"3.1.1","paths":{
          "/api/identities":{"get":{"tags":["Identities"],"summary":"List <identities>","responses":{"200":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Page"}}}},"400":{"content":{"application/problem+json":{"schema":{"$ref":"#/components/schemas/ProblemDetails"}}}}}}},
          "/internal/secret":{"get":{}}},
         "components":{"schemas":{"Page":{"type":"object","properties":{"items":{"type":"array","items":{"$ref":"#/components/schemas/Item"}}}},"Item":{"type":"object"},"ProblemDetails":{"type":"object","title":"p"}}}}
        """;

    private const string Uploads = """
        {"openapi":"3.1.1","paths":{
          "/api/photo-sets":{"get":{"tags":["Photo sets"],"responses":{"200":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Page"}}}},"400":{"content":{"application/problem+json":{"schema":{"$ref":"#/components/schemas/ProblemDetails"}}}}}}}},
         "components":{"schemas":{"Page":{"type":"object","properties":{"sets":{"type":"array"}}},"ProblemDetails":{"type":"object","title":"p"}}}}
        """;

    [Fact]
    public async Task Document_OfAllServices_IsMergedWithoutInternalPathsOrNameClashes()
    {
        gateway.Registry.Document = Registry;
        gateway.Uploads.Document = Uploads;
        using var client = gateway.StartGateway();
        client.DefaultRequestHeaders.Authorization = null;
        var document = JsonElement.Parse(await client.GetStringAsync(new Uri("/openapi/v1.json", UriKind.Relative)));
        Assert.StartsWith("3.1", document.GetProperty("openapi").GetString(), StringComparison.Ordinal);
        Assert.Equal(["/api/identities", "/api/photo-sets"], document.GetProperty("paths").EnumerateObject().Select(path => path.Name));
        Assert.Equal(
            ["Item", "Page", "ProblemDetails", "UploadsPage"],
            document.GetProperty("components").GetProperty("schemas").EnumerateObject().Select(schema => schema.Name));
        Assert.Equal("#/components/schemas/Page", SchemaOf(document, "/api/identities"));
        Assert.Equal("#/components/schemas/UploadsPage", SchemaOf(document, "/api/photo-sets"));
        Assert.Equal(["Identities", "Photo sets"], document.GetProperty("tags").EnumerateArray().Select(tag => tag.GetProperty("name").GetString()));

        var page = await client.GetStringAsync(new Uri("/docs", UriKind.Relative));
        Assert.Contains("List &lt;identities&gt;", page, StringComparison.Ordinal);
        Assert.DoesNotContain("/internal", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Document_WhileAServiceWasNeverReached_IsAProblem()
    {
        gateway.Training.Document = null;
        using var client = gateway.StartGateway();
        using var response = await client.GetAsync(new Uri("/openapi/v1.json", UriKind.Relative));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal("service_unavailable", (await GatewayFixture.ReadProblemAsync(response)).Code);
    }

    private static string? SchemaOf(JsonElement document, string path) => document.GetProperty("paths").GetProperty(path).GetProperty("get").GetProperty("responses")
        .GetProperty("200").GetProperty("content").GetProperty("application/json").GetProperty("schema").GetProperty("$ref").GetString();
}
