using System.Text.Json.Nodes;

namespace Flurrty.Gateway.Documents;

/// <summary>Makes one OpenAPI document of the services' own.</summary>
internal sealed class MergedDocument
{
    private const string Paths = "paths";
    private const string Components = "components";
    private const string Schemas = "schemas";
    private const string Reference = "$ref";
    private const string SchemaReference = "#/components/schemas/";
    private const string Scheme = "api_key";
    private static readonly string[] PublicPrefixes = ["/api/", "/webhooks/", "/worker/"];

    private readonly JsonObject _paths = [];
    private readonly JsonObject _schemas = [];
    private readonly SortedSet<string> _tags = new(StringComparer.Ordinal);

    /// <summary>Adds a service's document. Its internal paths are left out; a schema whose name is taken by another gets the service's name before its own.</summary>
    public void Add(string service, JsonObject document)
    {
        var schemas = document[Components]?[Schemas] as JsonObject ?? [];
        var names = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, schema) in schemas)
        {
            var taken = _schemas.TryGetPropertyValue(name, out var other) && !JsonNode.DeepEquals(other, schema);
            names[name] = taken ? char.ToUpperInvariant(service[0]) + service[1..] + name : name;
        }

        foreach (var (name, schema) in schemas)
        {
            _schemas[names[name]] = Renamed(schema, names);
        }

        foreach (var (path, item) in document[Paths] as JsonObject ?? [])
        {
            if (Array.Exists(PublicPrefixes, prefix => path.StartsWith(prefix, StringComparison.Ordinal)) && !_paths.ContainsKey(path))
            {
                _paths[path] = Renamed(item, names);
                CollectTags(item);
            }
        }
    }

    public JsonObject Build() => new()
    {
        ["openapi"] = "3.1.1",
        ["info"] = new JsonObject
        {
            ["title"] = "Flurrty",
            ["version"] = "v1",
            ["description"] = "Trains FLUX LoRA identities from photos. Refusals are RFC 9457 problems with a stable code.",
        },
        ["servers"] = new JsonArray(new JsonObject { ["url"] = "/" }),
        ["security"] = new JsonArray(new JsonObject { [Scheme] = new JsonArray() }),
        ["tags"] = new JsonArray([.. _tags.Select(tag => (JsonNode)new JsonObject { ["name"] = tag })]),
        [Paths] = Sorted(_paths),
        [Components] = new JsonObject
        {
            ["securitySchemes"] = new JsonObject
            {
                [Scheme] = new JsonObject { ["type"] = "http", ["scheme"] = "bearer", ["description"] = "An API key, such as flr_…" },
            },
            [Schemas] = Sorted(_schemas),
        },
    };

    private static JsonObject Sorted(JsonObject items) =>
        new(items.OrderBy(item => item.Key, StringComparer.Ordinal).Select(item => KeyValuePair.Create(item.Key, item.Value?.DeepClone())));

    private static JsonNode? Renamed(JsonNode? node, Dictionary<string, string> names) => node switch
    {
        JsonObject item => new JsonObject(item.Select(property => KeyValuePair.Create(
            property.Key,
            property is { Key: Reference, Value: JsonValue value } && value.TryGetValue<string>(out var target) ? Target(target, names) : Renamed(property.Value, names)))),
        JsonArray items => new JsonArray([.. items.Select(item => Renamed(item, names))]),
        _ => node?.DeepClone(),
    };

    private static JsonValue Target(string target, Dictionary<string, string> names) => JsonValue.Create(
        target.StartsWith(SchemaReference, StringComparison.Ordinal) && names.TryGetValue(target[SchemaReference.Length..], out var name) ? SchemaReference + name : target);

    private void CollectTags(JsonNode? item)
    {
        foreach (var (_, operation) in item as JsonObject ?? [])
        {
            foreach (var tag in (operation as JsonObject)?["tags"] as JsonArray ?? [])
            {
                _tags.Add(tag!.GetValue<string>());
            }
        }
    }
}
