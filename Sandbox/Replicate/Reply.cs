using System.Text.Json.Nodes;

namespace Flurrty.Sandbox.Replicate;

/// <summary>An answer as Replicate gives it: exact status, content type and bytes.</summary>
internal sealed class Reply(int status, string? contentType, byte[] body) : IResult
{
    public static Reply Json(int status, JsonNode body) => new(status, "application/json", Wire.Bytes(body));

    /// <summary>The Files service is another server there and names the charset.</summary>
    public static Reply FilesJson(int status, JsonNode body) => new(status, "application/json; charset=UTF-8", Wire.Bytes(body));

    public static Reply Raw(int status, string contentType, byte[] body) => new(status, contentType, body);

    public static Reply Empty(int status) => new(status, null, []);

    public static Reply Problem(int status, string detail, string? title = null, JsonArray? invalidFields = null, JsonArray? errors = null)
    {
        var problem = new JsonObject();
        if (title is not null)
        {
            problem["title"] = title;
        }

        problem["detail"] = detail;
        problem["status"] = status;
        if (invalidFields is not null)
        {
            problem["invalid_fields"] = invalidFields;
        }

        if (errors is not null)
        {
            problem["errors"] = errors;
        }

        return new Reply(status, "application/problem+json", Wire.Bytes(problem, newline: true));
    }

    public static Reply NotFound() => Problem(404, "Not found.", "Not found");

    public static Reply Unauthenticated() => Problem(401, "You did not pass a valid authentication token", "Unauthenticated");

    public static Reply InvalidField(string field, string type, string description) =>
        Problem(422, $"- {field}: {description}\n", "Input validation failed", [new JsonObject { ["type"] = type, ["field"] = field, ["description"] = description }]);

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        response.StatusCode = status;
        if (contentType is not null)
        {
            response.ContentType = contentType;
        }

        if (status is not 204 and not 304)
        {
            response.ContentLength = body.Length;
            await response.Body.WriteAsync(body, httpContext.RequestAborted);
        }
    }
}
