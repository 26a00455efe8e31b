using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace Flurrty.ServiceDefaults.Problems;

/// <summary>RFC 9457 problems with a stable <c>code</c>.</summary>
public static class Problem
{
    /// <summary>The prefix of every problem's <c>type</c>; the code follows.</summary>
    public const string TypePrefix = "urn:flurrty:problem:";

    /// <summary>Makes a problem.</summary>
    /// <param name="status">HTTP status, 400 to 599.</param>
    /// <param name="code">Stable code in snake case, such as <c>photo_truncated</c>.</param>
    /// <param name="title">What is wrong, the same sentence for every case of the code.</param>
    /// <param name="detail">What to do about this case.</param>
    /// <param name="extensions">Further members.</param>
    public static ProblemDetails Details(int status, string code, string title, string detail, IDictionary<string, object?>? extensions = null)
    {
        var problem = new ProblemDetails { Type = TypePrefix + code, Status = status, Title = title, Detail = detail };
        foreach (var (key, value) in extensions ?? new Dictionary<string, object?>(StringComparer.Ordinal))
        {
            problem.Extensions[key] = value;
        }

        problem.Extensions["code"] = code;
        return problem;
    }

    /// <summary>Makes a problem as the result of an endpoint.</summary>
    /// <inheritdoc cref="Details"/>
    public static ProblemHttpResult Result(int status, string code, string title, string detail, IDictionary<string, object?>? extensions = null) =>
        TypedResults.Problem(Details(status, code, title, detail, extensions));

    /// <summary>Writes a problem as the answer of a request.</summary>
    /// <param name="context">The request.</param>
    /// <param name="problem">The problem.</param>
    public static async Task WriteAsync(HttpContext context, ProblemDetails problem)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(problem);
        context.Response.StatusCode = problem.Status ?? StatusCodes.Status500InternalServerError;
        await TypedResults.Problem(problem).ExecuteAsync(context);
    }
}
