using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using RabbitMQ.Client;

namespace Flurrty.RegistryService.DeadLetters;

/// <summary>MassTransit's envelope and the headers that it adds to a message which nobody could take.</summary>
internal static partial class Envelope
{
    private const string MessageUrn = "urn:message:";
    private const string ExceptionType = "MT-Fault-ExceptionType";
    private const string FailedAt = "MT-Fault-Timestamp";

    // The last are of the process that failed.
    private static readonly string[] FaultPrefixes = ["MT-Fault-", "MT-Reason", "MT-Host-"];

    public static Guid? IdOf(BasicGetResult message) => Guid.TryParse(message.BasicProperties.MessageId, out var id) ? id : null;

    public static DeadLetter Read(string queue, BasicGetResult message, DateTimeOffset now)
    {
        var headers = message.BasicProperties.Headers;
        var (type, sentAt) = ReadBody(message.Body.Span);
        var failedAt = Time(Text(headers, FailedAt));
        return new DeadLetter
        {
            Queue = queue,
            MessageId = IdOf(message),
            MessageType = type,
            ExceptionType = TypeName(Text(headers, ExceptionType)),
            FailedAt = failedAt,
            SentAt = sentAt,
            AgeSeconds = (failedAt ?? sentAt) is { } since ? Math.Max(0, (long)(now - since).TotalSeconds) : null,
        };
    }

    /// <summary>The message as it was before it failed.</summary>
    public static BasicProperties WithoutFault(IReadOnlyBasicProperties properties) => new(properties)
    {
        Headers = properties.Headers?
            .Where(static header => !Array.Exists(FaultPrefixes, prefix => header.Key.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)))
            .ToDictionary(StringComparer.Ordinal),
    };

    private static (string? Type, DateTimeOffset? SentAt) ReadBody(ReadOnlySpan<byte> body)
    {
        string? type = null;
        DateTimeOffset? sentAt = null;
        try
        {
            var reader = new Utf8JsonReader(body);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                return default;
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var isType = reader.ValueTextEquals("messageType"u8);
                var isSentAt = reader.ValueTextEquals("sentTime"u8);
                _ = reader.Read();
                if (isType && reader.TokenType == JsonTokenType.StartArray)
                {
                    while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                    {
                        type ??= reader.TokenType == JsonTokenType.String ? TypeName(OfUrn(reader.GetString()!)) : null;
                        reader.Skip();
                    }
                }
                else if (isSentAt && reader.TokenType == JsonTokenType.String)
                {
                    sentAt = Time(reader.GetString());
                }
                else
                {
                    reader.Skip();
                }
            }
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // Not an envelope, or not to its end, or with text that is none (half of a surrogate pair): what was found stands.
        }

        return (type, sentAt);
    }

    private static string? OfUrn(string urn) => urn.StartsWith(MessageUrn, StringComparison.Ordinal) ? urn[MessageUrn.Length..].Replace(':', '.') : null;

    // What is not the name of a type might be anything.
    private static string? TypeName(string? text) => text is not null && NameOfAType().IsMatch(text) ? text : null;

    private static DateTimeOffset? Time(string? text) =>
        DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time) ? time : null;

    private static string? Text(IDictionary<string, object?>? headers, string name) => headers?.TryGetValue(name, out var value) != true ? null : value switch
    {
        byte[] bytes => Encoding.UTF8.GetString(bytes),
        string text => text,
        _ => null,
    };

    [GeneratedRegex(@"^[A-Za-z_][\w.+`\[\],]{0,255}$", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex NameOfAType();
}
