using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Flurrty.Sandbox.Journal;
using Microsoft.Extensions.Options;

namespace Flurrty.Sandbox.Replicate;

internal sealed record Model
{
    public required long Number { get; init; }
    public required string Owner { get; init; }
    public required string Name { get; init; }
    public required string Visibility { get; init; }
    public required string Hardware { get; init; }
    public string? Description { get; init; }
    public string? GithubUrl { get; init; }
    public string? PaperUrl { get; init; }
    public string? LicenseUrl { get; init; }
    public string? CoverImageUrl { get; init; }
    public string? Readme { get; init; }
    public string? WeightsUrl { get; init; }

    public string FullName => $"{Owner}/{Name}";
}

internal sealed record ModelVersion
{
    public required string Id { get; init; }
    public required long Number { get; init; }

    /// <summary><c>owner/name</c> of its model.</summary>
    public required string Model { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public string? TrainingId { get; init; }
}

/// <summary>The accounts' own models and their versions.</summary>
internal sealed class ModelStore
{
    private readonly DocumentSet<Model> _models;
    private readonly DocumentSet<ModelVersion> _versions;
    private long _last;

    public ModelStore(DocumentJournal journal)
    {
        _models = journal.Set<Model>("model");
        _versions = journal.Set<ModelVersion>("version");
        _last = _models.All.Select(model => model.Number).Concat(_versions.All.Select(version => version.Number)).DefaultIfEmpty().Max();
    }

    public Model? Find(string owner, string name) => _models.Find($"{owner}/{name}");

    public IEnumerable<Model> All => _models.All.OrderByDescending(model => model.Number);

    public bool TryAdd(Model model) => _models.TryAdd(model.FullName, model with { Number = Interlocked.Increment(ref _last) });

    public Model? Change(string fullName, Func<Model, Model> change) => _models.Change(fullName, change);

    public bool Delete(Model model) => _models.Remove(model.FullName);

    public IEnumerable<ModelVersion> Versions(string fullName) =>
        _versions.All.Where(version => version.Model == fullName).OrderByDescending(version => version.Number);

    public ModelVersion? Version(string id) => _versions.Find(id);

    public void AddVersion(ModelVersion version) => _versions.TryAdd(version.Id, version with { Number = Interlocked.Increment(ref _last) });

    public bool DeleteVersion(string id) => _versions.Remove(id);
}

/// <summary>The routes under <c>/models</c>, except trainings and predictions.</summary>
internal static partial class Models
{
    private const int Limit = 1000;

    public static void Map(RouteGroupBuilder v1)
    {
        v1.MapGet("/models", List);
        v1.MapPost("/models", CreateAsync);
        v1.MapGet("/models/{owner}/{name}", (HttpContext context, string owner, string name, ModelStore models, RunCounts runs, Origin origin) =>
            Seen(context, models, owner, name) is { } model ? Reply.Json(200, Render(model, models, runs, origin.Of(context.Request)))
            : Catalog.Find(owner, name) is { } listed ? Reply.Json(200, listed.Render(runs.Of(listed.FullName)))
            : Missing());
        v1.MapPatch("/models/{owner}/{name}", ChangeAsync);
        v1.MapDelete("/models/{owner}/{name}", Delete);
        v1.MapGet("/models/{owner}/{name}/versions", Versions);
        v1.MapGet("/models/{owner}/{name}/versions/{id}", (HttpContext context, string owner, string name, string id, ModelStore models) =>
            Seen(context, models, owner, name) is { } model
                ? models.Version(id) is { } version && version.Model == model.FullName ? Reply.Json(200, Render(version)) : Missing()
                : Catalog.Find(owner, name)?.Version(id) is { } listed ? Reply.Json(200, listed) : Missing());
        v1.MapDelete("/models/{owner}/{name}/versions/{id}", DeleteVersion);
    }

    public static Reply Missing() => Reply.Problem(404, "The requested resource could not be found.", "Not found");

    public static JsonObject Render(ModelVersion version) => new()
    {
        ["id"] = version.Id,
        ["created_at"] = Wire.Nanoseconds(version.CreatedAt),
        ["cog_version"] = "0.9.20",
        ["openapi_schema"] = Schemas.FineTune(),
    };

    private static Model? Seen(HttpContext context, ModelStore models, string owner, string name) =>
        models.Find(owner, name) is { } model && (model.Visibility == "public" || model.Owner == context.Account().Username) ? model : null;

    private static JsonObject Render(Model model, ModelStore models, RunCounts runs, string origin)
    {
        _ = origin;
        var latest = models.Versions(model.FullName).FirstOrDefault();
        return new JsonObject
        {
            ["url"] = $"https://replicate.com/{model.FullName}",
            ["owner"] = model.Owner,
            ["name"] = model.Name,
            ["description"] = model.Description,
            ["visibility"] = model.Visibility,
            ["is_official"] = false,
            ["github_url"] = model.GithubUrl,
            ["paper_url"] = model.PaperUrl,
            ["license_url"] = model.LicenseUrl,
            ["run_count"] = runs.Of(model.FullName),
            ["cover_image_url"] = model.CoverImageUrl,
            ["default_example"] = null,
            ["latest_version"] = latest is null ? null : Render(latest),
        };
    }

    private static Reply List(HttpContext context, ModelStore models, RunCounts runs, Origin origin, IOptions<SandboxOptions> options)
    {
        string url = origin.Of(context.Request);
        var listed = Catalog.All.Select((model, index) => (Number: -1L - index, Body: model.Render(runs.Of(model.FullName))));
        var own = models.All.Where(model => model.Visibility == "public").Select(model => (model.Number, Body: Render(model, models, runs, url)));
        return Paging.Page(context.Request, $"{url}/v1/models", options.Value.Replicate.PageSize, own.Concat(listed), item => item.Number, item => item.Body);
    }

    private static async Task<IResult> CreateAsync(HttpContext context, ModelStore models, RunCounts runs, Origin origin)
    {
        var (body, refusal) = await RequestJson.ReadAsync(context);
        if (refusal is not null)
        {
            return refusal;
        }

        foreach (string field in (string[])["owner", "name", "visibility", "hardware"])
        {
            if (string.IsNullOrEmpty(body.Text(field)))
            {
                return Reply.InvalidField(field, "required", $"{field} is required");
            }
        }

        string owner = body.Text("owner")!;
        string name = body.Text("name")!;
        string visibility = body.Text("visibility")!;
        string hardware = body.Text("hardware")!;
        if (owner != context.Account().Username)
        {
            return Reply.Problem(403, "You do not have permission to perform this action.", "Permission denied");
        }

        if (!NamePattern().IsMatch(name))
        {
            return Reply.InvalidField("name", "invalid", "name may only contain lower-case letters, digits, dashes, underscores and dots");
        }

        if (visibility is not ("public" or "private"))
        {
            return Reply.InvalidField("visibility", "invalid", "visibility must be one of: public, private");
        }

        if (!Hardware.Exists(hardware))
        {
            return Reply.InvalidField("hardware", "invalid", "hardware is not a known SKU");
        }

        if (models.All.Count(model => model.Owner == owner) >= Limit)
        {
            return Reply.Problem(422, $"You have reached the limit of {Limit} models.", "Model limit reached");
        }

        var model = new Model
        {
            Number = 0,
            Owner = owner,
            Name = name,
            Visibility = visibility,
            Hardware = hardware,
            Description = body.Text("description"),
            GithubUrl = body.Text("github_url"),
            PaperUrl = body.Text("paper_url"),
            LicenseUrl = body.Text("license_url"),
            CoverImageUrl = body.Text("cover_image_url"),
        };
        const string Exists = "A model with that name and owner already exists.";
        return models.TryAdd(model)
            ? Reply.Json(201, Render(model, models, runs, origin.Of(context.Request)))
            : Reply.Problem(409, Exists, "Conflict", errors: [new JsonObject { ["detail"] = Exists, ["pointer"] = "/" }]);
    }

    private static async Task<IResult> ChangeAsync(HttpContext context, string owner, string name, ModelStore models, RunCounts runs, Origin origin)
    {
        var (body, refusal) = await RequestJson.ReadAsync(context);
        if (refusal is not null)
        {
            return refusal;
        }

        if (Seen(context, models, owner, name) is not { } model)
        {
            return Missing();
        }

        if (model.Owner != context.Account().Username)
        {
            return Reply.Problem(403, "You do not have permission to perform this action.", "Permission denied");
        }

        string? New(string field, string? old) => body.TryGetProperty(field, out _) ? body.Text(field) : old;
        var changed = models.Change(model.FullName, old => old with
        {
            Description = New("description", old.Description),
            Readme = New("readme", old.Readme),
            GithubUrl = New("github_url", old.GithubUrl),
            PaperUrl = New("paper_url", old.PaperUrl),
            WeightsUrl = New("weights_url", old.WeightsUrl),
            LicenseUrl = New("license_url", old.LicenseUrl),
        });
        return changed is null ? Missing() : Reply.Json(200, Render(changed, models, runs, origin.Of(context.Request)));
    }

    private static Reply Delete(HttpContext context, string owner, string name, ModelStore models)
    {
        if (Seen(context, models, owner, name) is not { } model)
        {
            return Missing();
        }

        if (model.Owner != context.Account().Username || model.Visibility != "private" || models.Versions(model.FullName).Any())
        {
            return Reply.Problem(403, "You can only delete private models that you own and that have no versions.", "Permission denied");
        }

        return models.Delete(model) ? Reply.Empty(204) : Missing();
    }

    private static Reply Versions(HttpContext context, string owner, string name, ModelStore models, Origin origin, IOptions<SandboxOptions> options)
    {
        string url = $"{origin.Of(context.Request)}/v1/models/{owner}/{name}/versions";
        int size = options.Value.Replicate.PageSize;
        return Seen(context, models, owner, name) is { } model
            ? Paging.Page(context.Request, url, size, models.Versions(model.FullName), version => version.Number, Render)
            : Catalog.Find(owner, name) is { } listed
                ? Paging.Page(context.Request, url, size, listed.Versions.Select((version, index) => (Number: -1L - index, version.Id)), item => item.Number, item => listed.Version(item.Id)!)
                : Missing();
    }

    private static Reply DeleteVersion(HttpContext context, string owner, string name, string id, ModelStore models, Deliveries deliveries, TrainingStore trainings)
    {
        if (Seen(context, models, owner, name) is not { } model || models.Version(id) is not { } version || version.Model != model.FullName)
        {
            return Missing();
        }

        if (model.Owner != context.Account().Username || model.Visibility != "private")
        {
            return Reply.Problem(403, "You can only delete versions of private models that you own.", "Permission denied");
        }

        if (version.TrainingId is { } training && trainings.Find(training)?.DeliveryToken is { } token)
        {
            deliveries.Delete(token);
        }

        models.DeleteVersion(id);
        return Reply.Empty(202);
    }

    [GeneratedRegex("^[a-z0-9][a-z0-9._-]{0,254}$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex NamePattern();
}
