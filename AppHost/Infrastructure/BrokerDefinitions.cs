using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Flurrty.AppHost.Infrastructure;

/// <summary>RabbitMQ's definitions for a container: the users and what each may do. Natively eng/native/rabbitmq_definitions.py writes the same.</summary>
internal static class BrokerDefinitions
{
    private const string Own = @"^amq\.gen-.*$";

    public static async Task<string> OfAsync(Credentials credentials, CancellationToken cancellationToken)
    {
        var users = new JsonArray();
        var permissions = new JsonArray();
        foreach (var user in Credentials.BrokerUsers)
        {
            var password = await credentials.Password($"rabbitmq-{user}").Resource.GetValueAsync(cancellationToken) ?? "";
            users.Add(new JsonObject
            {
                ["name"] = user,
                ["password_hash"] = Hash(password),
                ["hashing_algorithm"] = "rabbit_password_hashing_sha256",
                ["tags"] = new JsonArray(),
            });

            // MassTransit declares exchanges named after message types and queues named after commands and consumers, and senders declare what they
            // send to, so a service needs everything on its virtual host. The one who only asks whether the broker works gets queues that the broker names.
            var isService = user != Credentials.Readiness;
            permissions.Add(new JsonObject
            {
                ["user"] = user,
                ["vhost"] = "/",
                ["configure"] = isService ? ".*" : Own,
                ["write"] = isService ? ".*" : @"^(amq\.gen-.*|amq\.default)$",
                ["read"] = isService ? ".*" : Own,
            });
        }

        return new JsonObject { ["vhosts"] = new JsonArray(new JsonObject { ["name"] = "/" }), ["users"] = users, ["permissions"] = permissions }.ToJsonString();
    }

    // RabbitMQ's documented form: base64 of a salt of four bytes and the SHA-256 of salt and password.
    private static string Hash(string password)
    {
        var salt = RandomNumberGenerator.GetBytes(4);
        return Convert.ToBase64String([.. salt, .. SHA256.HashData([.. salt, .. Encoding.UTF8.GetBytes(password)])]);
    }
}
