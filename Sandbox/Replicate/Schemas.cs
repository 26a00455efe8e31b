using System.Text.Json.Nodes;

namespace Flurrty.Sandbox.Replicate;

/// <summary>The <c>openapi_schema</c> of versions; a trainer's own inputs are its <c>TrainingInput</c>.</summary>
internal static class Schemas
{
    private static readonly IReadOnlyList<Input> Generation =
    [
        new("prompt", InputType.Text) { Required = true, Description = "Prompt for generated image." },
        new("image", InputType.File),
        new("aspect_ratio", InputType.Text)
        {
            Default = "1:1",
            Choices = ["1:1", "16:9", "21:9", "3:2", "2:3", "4:5", "5:4", "3:4", "4:3", "9:16", "9:21"],
        },
        new("num_outputs", InputType.Whole) { Default = 1, Minimum = 1, Maximum = 4 },
        new("num_inference_steps", InputType.Whole) { Default = 28, Minimum = 1, Maximum = 50 },
        new("prompt_strength", InputType.Number) { Default = 0.8, Minimum = 0, Maximum = 1 },
        new("seed", InputType.Whole),
        new("output_format", InputType.Text) { Default = "webp", Choices = ["webp", "jpg", "png"] },
        new("output_quality", InputType.Whole) { Default = 90, Minimum = 0, Maximum = 100 },
        new("lora_scale", InputType.Number) { Default = 1, Minimum = -1, Maximum = 3 },
        new("extra_lora", InputType.Text),
        new("extra_lora_scale", InputType.Number) { Default = 1, Minimum = -1, Maximum = 3 },
        new("disable_safety_checker", InputType.Flag) { Default = false },
    ];

    public static readonly IReadOnlyList<Input> FineTuneInputs =
    [
        .. Generation,
        new("mask", InputType.File),
        new("model", InputType.Text) { Default = "dev", Choices = ["dev", "schnell"] },
        new("guidance_scale", InputType.Number) { Default = 3, Minimum = 0, Maximum = 10 },
        new("go_fast", InputType.Flag) { Default = false },
        new("megapixels", InputType.Text) { Default = "1", Choices = ["1", "0.25"] },
        new("replicate_weights", InputType.Text),
    ];

    public static readonly IReadOnlyList<Input> BaseModelInputs =
    [
        .. Generation,
        new("guidance", InputType.Number) { Default = 3, Minimum = 0, Maximum = 10 },
        new("go_fast", InputType.Flag) { Default = true },
        new("lora_weights", InputType.Text),
        new("hf_api_token", InputType.Secret),
        new("civitai_api_token", InputType.Secret),
    ];

    public static JsonObject Trainer(Trainer trainer) => Document(new JsonObject
    {
        ["Input"] = Inputs("Input", FineTuneInputs),
        ["Output"] = Images(),
        ["TrainingInput"] = Inputs("TrainingInput", trainer.Inputs),
        ["TrainingOutput"] = new JsonObject
        {
            ["type"] = "object",
            ["title"] = "TrainingOutput",
            ["required"] = new JsonArray("weights"),
            ["properties"] = new JsonObject { ["weights"] = new JsonObject { ["type"] = "string", ["title"] = "Weights", ["format"] = "uri" } },
        },
    });

    public static JsonObject FineTune() => Document(new JsonObject { ["Input"] = Inputs("Input", FineTuneInputs), ["Output"] = Images() });

    public static JsonObject BaseModel() => Document(new JsonObject { ["Input"] = Inputs("Input", BaseModelInputs), ["Output"] = Images() });

    private static JsonObject Document(JsonObject schemas) => new()
    {
        ["openapi"] = "3.0.2",
        ["info"] = new JsonObject { ["title"] = "Cog", ["version"] = "0.1.0" },
        ["paths"] = new JsonObject(),
        ["components"] = new JsonObject { ["schemas"] = schemas },
    };

    private static JsonObject Images() => new()
    {
        ["type"] = "array",
        ["title"] = "Output",
        ["items"] = new JsonObject { ["type"] = "string", ["format"] = "uri" },
    };

    private static JsonObject Inputs(string title, IReadOnlyList<Input> inputs)
    {
        var properties = new JsonObject();
        for (int order = 0; order < inputs.Count; order++)
        {
            properties[inputs[order].Name] = Property(inputs[order], order);
        }

        var schema = new JsonObject { ["type"] = "object", ["title"] = title, ["properties"] = properties };
        if (inputs.Any(input => input.Required))
        {
            schema["required"] = new JsonArray([.. inputs.Where(input => input.Required).Select(input => JsonValue.Create(input.Name))]);
        }

        return schema;
    }

    private static JsonObject Property(Input input, int order)
    {
        var property = new JsonObject
        {
            ["type"] = input.Type switch
            {
                InputType.Whole => "integer",
                InputType.Number => "number",
                InputType.Flag => "boolean",
                InputType.Text or InputType.File or InputType.Secret => "string",
            },
            ["title"] = string.Join(' ', input.Name.Split('_').Select(word => char.ToUpperInvariant(word[0]) + word[1..])),
            ["x-order"] = order,
        };
        if (input.Type == InputType.File)
        {
            property["format"] = "uri";
        }

        if (input.Type == InputType.Secret)
        {
            property["format"] = "password";
            property["writeOnly"] = true;
            property["x-cog-secret"] = true;
        }

        if (input.Default is { } value)
        {
            property["default"] = value.DeepClone();
        }

        if (input.Minimum is { } minimum)
        {
            property["minimum"] = minimum;
        }

        if (input.Maximum is { } maximum)
        {
            property["maximum"] = maximum;
        }

        if (input.Choices is { } choices)
        {
            property["enum"] = new JsonArray([.. choices.Select(choice => JsonValue.Create(choice))]);
        }

        if (input.Description is { } description)
        {
            property["description"] = description;
        }

        return property;
    }
}
