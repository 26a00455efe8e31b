using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json.Nodes;
using Flurrty.ServiceDefaults.Problems;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Flurrty.Gateway.Documents;

/// <summary>What describes the API: the document at /openapi/v1.json and a page for people at /docs.</summary>
internal static class DocumentEndpoints
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public static IHostApplicationBuilder AddDocuments(this IHostApplicationBuilder builder)
    {
        builder.Services.AddHttpClient(ApiDocument.Client, client => client.Timeout = Patience);
        builder.Services.AddSingleton<ApiDocument>();
        return builder;
    }

    public static IEndpointRouteBuilder MapDocuments(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/openapi/v1.json", ShowDocumentAsync).AllowAnonymous();
        routes.MapGet("/docs", ShowPageAsync).AllowAnonymous();
        routes.MapGet("/", () => TypedResults.Redirect("/docs")).AllowAnonymous();
        return routes;
    }

    private static async Task<IResult> ShowDocumentAsync(ApiDocument document, HttpContext context, CancellationToken cancellationToken) =>
        await document.GetAsync(cancellationToken) is { } json ? TypedResults.Text(json.ToJsonString(), "application/json", Encoding.UTF8) : Away(context);

    private static async Task<IResult> ShowPageAsync(ApiDocument document, HttpContext context, CancellationToken cancellationToken)
    {
        if (await document.GetAsync(cancellationToken) is not { } json)
        {
            return Away(context);
        }

        context.Response.Headers.ContentSecurityPolicy = "default-src 'none'; style-src 'unsafe-inline'";
        return TypedResults.Content(Page(json), "text/html", Encoding.UTF8);
    }

    private static ProblemHttpResult Away(HttpContext context)
    {
        context.Response.Headers.RetryAfter = "5";
        return Problem.Result(503, "service_unavailable", "A part of the service is away.", "The API's document is put together from all services. Try again in a few seconds.");
    }

    private static string Page(JsonObject document)
    {
        var page = new StringBuilder("""
            <!doctype html><html lang="en"><meta charset="utf-8"><title>Flurrty API</title>
            <style>body{font:15px/1.5 system-ui;margin:2rem auto;max-width:60rem;padding:0 1rem}code{font-size:.95em}td{padding:.3rem .8rem .3rem 0;vertical-align:top}</style>
            <h1>Flurrty API</h1><p>The whole description is the OpenAPI document at <a href="/openapi/v1.json">/openapi/v1.json</a>.</p><table>
            """);
        foreach (var (path, item) in document["paths"]!.AsObject())
        {
            foreach (var (method, operation) in item!.AsObject())
            {
                var summary = (operation as JsonObject)?["summary"]?.GetValue<string>() ?? "";
                page.Append("<tr><td><code>").Append(Encoded(method.ToUpperInvariant())).Append("</code><td><code>").Append(Encoded(path))
                    .Append("</code><td>").Append(Encoded(summary));
            }
        }

        return page.Append("</table></html>").ToString();
    }

    private static string Encoded(string text) => HtmlEncoder.Default.Encode(text);
}
