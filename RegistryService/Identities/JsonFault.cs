using System.Text.Json;

namespace Flurrty.RegistryService.Identities;

/// <summary>What is wrong with a body that was refused as JSON, in a sentence that says what to do.</summary>
internal static class JsonFault
{
    private const int MaxDepth = 64;

    public static string Of(ReadOnlyMemory<byte> body)
    {
        if (body.Span.Trim(" \t\r\n"u8).IsEmpty)
        {
            return "The body is empty. Send a JSON object.";
        }

        try
        {
            // Deeper than any body of the size that is taken.
            using var lenient = JsonDocument.Parse(body, new JsonDocumentOptions { MaxDepth = body.Length + 1 });
            return Depth(body.Span) > MaxDepth ? $"It is nested too deeply. {MaxDepth} levels are taken."
                : Names(lenient.RootElement).Any(static name => name is null) ? "A key holds half of a surrogate pair. Send whole characters."
                : "A key stands twice in an object. Give it once.";
        }
        catch (JsonException exception)
        {
            return exception.LineNumber is { } line ? $"See line {line + 1}, byte {exception.BytePositionInLine + 1}." : "It is not UTF-8, or no JSON at all.";
        }
    }

    private static int Depth(ReadOnlySpan<byte> body)
    {
        var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = body.Length + 1 });
        var deepest = 0;
        while (reader.Read())
        {
            deepest = Math.Max(deepest, reader.CurrentDepth + (reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray ? 1 : 0));
        }

        return deepest;
    }

    private static IEnumerable<string?> Names(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => value.EnumerateObject().SelectMany(static property => Names(property.Value).Prepend(IdentityRequest.ReadName(property))),
        JsonValueKind.Array => value.EnumerateArray().SelectMany(Names),
        _ => [],
    };
}
