using System.ComponentModel;
using System.Text.Json;

namespace Flurrty.RegistryService.Identities;

/// <summary>The body of POST /api/identities, as documented. <see cref="IdentityRequest"/> reads it.</summary>
internal sealed record CreateIdentityRequest
{
    [Description("What the identity is called: 1 to 64 printable characters with at least one letter or digit.")]
    public required string Name { get; init; }

    [Description("The photo set to learn from: 3 to 40 photos. The set is copied and stays editable.")]
    public required Guid PhotoSetId { get; init; }

    [Description("economy, standard, high or portrait; standard if left out.")]
    public string? Preset { get; init; }

    [Description("auto or replicate; auto if left out.")]
    public string? Provider { get; init; }

    [Description("The word that calls the identity up in a prompt: a letter, then 1 to 31 letters, digits, '_' or '-'. A unique one is made if left out.")]
    public string? TriggerWord { get; init; }

    [Description("Single values that override the preset's. They are also accepted at the top level of the body.")]
    public TrainingParameters? Training { get; init; }

    [Description("Any JSON object, kept with the identity: at most 16 KiB and 5 levels deep.")]
    public JsonElement? Customization { get; init; }
}

/// <summary>Explicit training parameters.</summary>
internal sealed record TrainingParameters
{
    [Description("3 to 6000.")]
    public int? Steps { get; init; }

    [Description("1 to 128.")]
    public int? Rank { get; init; }

    [Description("0.000001 to 0.01.")]
    public double? LearningRate { get; init; }

    [Description("Image sizes to train at, comma separated: each a multiple of 64 from 256 to 1536.")]
    public string? Resolution { get; init; }
}
