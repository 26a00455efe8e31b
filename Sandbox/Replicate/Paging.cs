using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace Flurrty.Sandbox.Replicate;

/// <summary>Lists, newest first, with a cursor in the URL.</summary>
internal static class Paging
{
    public static Reply Page<T>(HttpRequest request, string url, int size, IEnumerable<T> newestFirst, Func<T, long> number, Func<T, JsonNode> render, bool files = false)
    {
        (bool Back, long Number)? cursor = null;
        if (request.Query.TryGetValue("cursor", out var text) && !string.IsNullOrEmpty(text))
        {
            cursor = Parse(text!);
            if (cursor is null)
            {
                return Reply.Problem(404, "Invalid cursor");
            }
        }

        var all = newestFirst.ToList();
        int start = cursor switch
        {
            null => 0,
            { Back: false, Number: long after } => Count(all, item => number(item) >= after),
            { Back: true, Number: long before } => Math.Max(0, Count(all, item => number(item) > before) - size),
        };
        var items = all.Skip(start).Take(size).ToList();
        string? next = start + items.Count < all.Count ? $"{url}?cursor={Cursor('p', number(items[^1]))}" : null;
        string? previous = start > 0 && items.Count > 0 ? $"{url}?cursor={Cursor('r', number(items[0]))}" : null;
        var body = new JsonObject
        {
            ["previous"] = previous,
            ["next"] = next,
            ["results"] = new JsonArray([.. items.Select(render)]),
        };
        return files ? Reply.FilesJson(200, body) : Reply.Json(200, body);
    }

    private static int Count<T>(List<T> all, Predicate<T> ahead)
    {
        int index = all.FindIndex(item => !ahead(item));
        return index < 0 ? all.Count : index;
    }

    private static string Cursor(char kind, long number) =>
        Uri.EscapeDataString(Convert.ToBase64String(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{kind}={number}"))));

    private static (bool Back, long Number)? Parse(string cursor)
    {
        byte[] bytes = new byte[cursor.Length];
        if (!Convert.TryFromBase64String(cursor, bytes, out int length))
        {
            return null;
        }

        string text = Encoding.ASCII.GetString(bytes, 0, length);
        return text.Length > 2 && text[1] == '=' && text[0] is 'p' or 'r' && long.TryParse(text.AsSpan(2), CultureInfo.InvariantCulture, out long number)
            ? (text[0] == 'r', number)
            : null;
    }
}
