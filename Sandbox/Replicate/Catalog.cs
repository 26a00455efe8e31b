using System.Text.Json.Nodes;

namespace Flurrty.Sandbox.Replicate;

/// <summary>The models of others that the sandbox knows: two trainers and the base model with a LoRA slot.</summary>
internal static class Catalog
{
    public static readonly ListedModel OstrisTrainer = new(
        "ostris",
        "flux-dev-lora-trainer",
        "Fine-tune FLUX.1-dev using ai-toolkit",
        Official: false,
        [
            new("4ffd32160efd92e956d39c5338a9b8fbafca58e03f791f6d8011f3e20e8ea6fa", "2025-01-31T10:04:36.106541Z"),
            new("1296f0ab2d695af5a1b5eeee6e8ec043145bef33f1675ce1a2cdb0f81ec43f02", "2024-11-25T16:55:28.204119Z"),
            new("6029be968faad5bcc6d44e827af89eee22d61c35f3b5d0950751815506a9db04", "2024-09-03T12:21:09.318873Z"),
        ],
        new Trainer(
            [
                new("input_images", InputType.File) { Description = "A zip file containing the images that will be used for training." },
                new("trigger_word", InputType.Text) { Default = "TOK" },
                new("autocaption", InputType.Flag) { Default = true },
                new("autocaption_prefix", InputType.Text),
                new("autocaption_suffix", InputType.Text),
                new("steps", InputType.Whole) { Default = 1000, Minimum = 3, Maximum = 6000 },
                new("learning_rate", InputType.Number) { Default = 0.0004 },
                new("batch_size", InputType.Whole) { Default = 1 },
                new("resolution", InputType.Text) { Default = "512,768,1024" },
                new("lora_rank", InputType.Whole) { Default = 16, Minimum = 1, Maximum = 128 },
                new("caption_dropout_rate", InputType.Number) { Default = 0.05, Minimum = 0, Maximum = 1 },
                new("optimizer", InputType.Text) { Default = "adamw8bit" },
                new("cache_latents_to_disk", InputType.Flag) { Default = false },
                new("layers_to_optimize_regex", InputType.Text),
                new("gradient_checkpointing", InputType.Flag) { Default = false },
                new("hf_repo_id", InputType.Text),
                new("hf_token", InputType.Secret),
                new("wandb_api_key", InputType.Secret),
                new("wandb_project", InputType.Text) { Default = "flux_train_replicate" },
                new("wandb_run", InputType.Text),
                new("wandb_entity", InputType.Text),
                new("wandb_sample_interval", InputType.Whole) { Default = 100, Minimum = 1 },
                new("wandb_sample_prompts", InputType.Text),
                new("wandb_save_interval", InputType.Whole) { Default = 100, Minimum = 1 },
                new("skip_training_and_use_pretrained_hf_lora_url", InputType.Text),
            ],
            StepsInput: "steps",
            WeightsFolder: "",
            WeightsFile: "trained_model.tar"));

    /// <summary>Its source is not public: ranges and defaults are the sandbox's guess.</summary>
    public static readonly ListedModel FastTrainer = new(
        "replicate",
        "fast-flux-trainer",
        "Train subjects or styles faster than ever",
        Official: true,
        [
            new("8b10794665aed907bb98a1a5324cd1d3a8bea0e9b31e65210967fb9c9e2e08ed", "2025-04-16T22:21:47.561020Z"),
            new("f463fbfc97389e10a2f443a8a84b6953b1058eafbf0c9af4d84457ff07cb04db", "2025-03-07T15:40:12.909316Z"),
            new("56cb4a6447e586e40c6834a7a48b649336ade35325479817ada41cd3d8dcc175", "2025-02-20T18:03:55.117402Z"),
        ],
        new Trainer(
            [
                new("input_images", InputType.File) { Required = true, Description = "A zip file containing the images that will be used for training." },
                new("trigger_word", InputType.Text) { Default = "TOK" },
                new("lora_type", InputType.Text) { Default = "subject", Choices = ["subject", "style"] },
                new("training_steps", InputType.Whole) { Default = 1000, Minimum = 1, Maximum = 10_000 },
                new("seed", InputType.Whole),
            ],
            StepsInput: "training_steps",
            WeightsFolder: "xezq/",
            WeightsFile: "flux-lora.tar"));

    public static readonly ListedModel FluxDevLora = new(
        "black-forest-labs",
        "flux-dev-lora",
        "A version of flux-dev, a text to image model, that supports fast fine-tuned lora inference",
        Official: true,
        [new("ae0d7d645446924cf1871e3ca8796e8318f72465d2b5af9323a835df93bf0917", "2025-05-14T11:52:30.640218Z")],
        Trainer: null);

    public static readonly IReadOnlyList<ListedModel> All = [OstrisTrainer, FastTrainer, FluxDevLora];

    public static ListedModel? Find(string owner, string name) => All.FirstOrDefault(model => model.Owner == owner && model.Name == name);

    public static ListedModel? WithVersion(string version) => All.FirstOrDefault(model => model.Versions.Any(listed => listed.Id == version));
}

internal sealed record ListedModel(string Owner, string Name, string Description, bool Official, IReadOnlyList<ListedVersion> Versions, Trainer? Trainer)
{
    public string FullName => $"{Owner}/{Name}";

    public JsonObject? Version(string id) => Versions.FirstOrDefault(version => version.Id == id) is { } listed
        ? new JsonObject
        {
            ["id"] = listed.Id,
            ["created_at"] = listed.CreatedAt,
            ["cog_version"] = "0.9.20",
            ["openapi_schema"] = Trainer is null ? Schemas.BaseModel() : Schemas.Trainer(Trainer),
        }
        : null;

    public JsonObject Render(int runs) => new()
    {
        ["url"] = $"https://replicate.com/{FullName}",
        ["owner"] = Owner,
        ["name"] = Name,
        ["description"] = Description,
        ["visibility"] = "public",
        ["is_official"] = Official,
        ["github_url"] = null,
        ["paper_url"] = null,
        ["license_url"] = null,
        ["run_count"] = runs,
        ["cover_image_url"] = null,
        ["default_example"] = null,
        ["latest_version"] = Version(Versions[0].Id),
    };
}

internal sealed record ListedVersion(string Id, string CreatedAt);

internal sealed record Trainer(IReadOnlyList<Input> Inputs, string StepsInput, string WeightsFolder, string WeightsFile);

internal enum InputType
{
    Text,
    Whole,
    Number,
    Flag,
    File,
    Secret,
}

internal sealed record Input(string Name, InputType Type)
{
    public bool Required { get; init; }
    public JsonNode? Default { get; init; }
    public double? Minimum { get; init; }
    public double? Maximum { get; init; }
    public IReadOnlyList<string>? Choices { get; init; }
    public string? Description { get; init; }
}
