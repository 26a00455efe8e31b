using System.Text.Json;

namespace Flurrty.Sandbox.Replicate;

/// <summary>The JSON object of a request, or the refusal that its sender gets.</summary>
internal static class RequestJson
{
    public static async Task<(JsonElement Body, Reply? Refusal)> ReadAsync(HttpContext context)
    {
        if (!context.Request.HasJsonContentType())
        {
            return (default, Reply.Problem(415, $"Unsupported media type \"{context.Request.ContentType}\" in request.", "Unsupported media type"));
        }

        try
        {
            using var document = await JsonDocument.ParseAsync(context.Request.Body, cancellationToken: context.RequestAborted);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? (document.RootElement.Clone(), null)
                : (default, Reply.Problem(400, "The request body must be a JSON object.", "Bad request"));
        }
        catch (JsonException)
        {
            return (default, Reply.Problem(400, "The request body is not valid JSON.", "Bad request"));
        }
    }

    /// <summary>A string property; null when it is absent, empty when it is something else.</summary>
    public static string? Text(this JsonElement body, string name) =>
        !body.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString()
        : "";
}
