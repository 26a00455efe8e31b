using System.Collections.Frozen;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Flurrty.RegistryService.Identities;

/// <summary>Reads the body of a request for an identity and finds everything that is wrong with it, not only the first thing.</summary>
internal sealed class IdentityRequest
{
    public const int MaxCustomizationBytes = 16 * 1024;
    public const int MaxCustomizationDepth = 5;
    private const int MaxErrors = 32;
    private const int MaxNameShown = 64;
    private const string Unreadable = "\uFFFD";
    private const int MinSteps = 3;
    private const int MaxSteps = 6000;
    private const int MinRank = 1;
    private const int MaxRank = 128;
    private const double MinLearningRate = 1e-6;
    private const double MaxLearningRate = 1e-2;
    private const int MinResolution = 256;
    private const int MaxResolution = 1536;
    private const int ResolutionStep = 64;
    private const int MaxResolutions = 5;

    private static readonly FrozenSet<string> Providers = FrozenSet.Create(StringComparer.Ordinal, "auto", "replicate");
    private static readonly FrozenSet<string> TopFields = FrozenSet.Create(
        StringComparer.Ordinal, "name", "photo_set_id", "preset", "provider", "trigger_word", "training", "customization");

    private static readonly FrozenSet<string> TrainingFields = FrozenSet.Create(StringComparer.Ordinal, "steps", "rank", "learning_rate", "resolution");

    private readonly List<FieldError> _errors = [];
    private readonly Dictionary<string, JsonElement> _fields = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (string Path, JsonElement Value)> _training = new(StringComparer.Ordinal);

    private IdentityRequest(JsonElement body)
    {
        Sort(body);
    }

    /// <summary>Gives the identity that is asked for, or null and what is wrong.</summary>
    public static NewIdentity? Read(JsonElement body, out IReadOnlyList<FieldError> errors)
    {
        if (body.ValueKind != JsonValueKind.Object)
        {
            errors = [new FieldError("", ErrorCodes.InvalidJson, "The body must be a JSON object.")];
            return null;
        }

        var request = new IdentityRequest(body);
        var identity = request.Build();
        errors = request._errors;
        return errors.Count == 0 ? identity : null;
    }

    private void Sort(JsonElement body)
    {
        foreach (var property in body.EnumerateObject())
        {
            var name = ReadName(property) ?? Unreadable;
            if (TopFields.Contains(name))
            {
                _fields[name] = property.Value;
            }
            else if (TrainingFields.Contains(name))
            {
                _training[name] = (name, property.Value);
            }
            else
            {
                RefuseUnknown(name);
            }
        }

        if (!Given("training", out var training))
        {
            return;
        }

        if (training.ValueKind != JsonValueKind.Object)
        {
            Refuse("training", ErrorCodes.InvalidTraining, "training is an object with steps, rank, learning_rate and resolution.");
            return;
        }

        foreach (var property in training.EnumerateObject())
        {
            var name = ReadName(property) ?? Unreadable;
            var path = "training." + name;
            if (!TrainingFields.Contains(name))
            {
                RefuseUnknown(path);
            }
            else if (!_training.TryAdd(name, (path, property.Value)))
            {
                Refuse(path, ErrorCodes.DuplicateField, $"'{name}' is given twice, inside training and beside it. Give it once.");
            }
        }
    }

    private NewIdentity Build() => new(Name(), PhotoSetId(), Provider(), Trigger(), Training(), Customization());

    private string Name()
    {
        if (!Text("name", ErrorCodes.InvalidName, "A name is needed.", out var name))
        {
            return "";
        }

        name = name.Trim();
        if (IdentityName.Refuse(name) is { } reason)
        {
            Refuse("name", ErrorCodes.InvalidName, reason);
        }

        return name;
    }

    private Guid PhotoSetId()
    {
        const string Expected = "photo_set_id is the id of a photo set of yours.";
        if (!Text("photo_set_id", ErrorCodes.InvalidPhotoSetId, Expected, out var text))
        {
            return default;
        }

        if (!Guid.TryParseExact(text, "D", out var id))
        {
            Refuse("photo_set_id", ErrorCodes.InvalidPhotoSetId, Expected);
        }

        return id;
    }

    private string Provider()
    {
        const string Automatic = "auto";
        if (!Given("provider", out _))
        {
            return Automatic;
        }

        var expected = $"provider is one of: {string.Join(", ", Providers.Order(StringComparer.Ordinal))}.";
        if (Text("provider", ErrorCodes.UnknownProvider, expected, out var provider) && !Providers.Contains(provider))
        {
            Refuse("provider", ErrorCodes.UnknownProvider, expected);
        }

        return provider;
    }

    private string? Trigger()
    {
        if (!Given("trigger_word", out _))
        {
            return null;
        }

        const string Expected = "trigger_word starts with a letter and goes on with 1 to 31 letters, digits, '_' or '-'.";
        if (Text("trigger_word", ErrorCodes.InvalidTriggerWord, Expected, out var word) && !TriggerWord.IsValid(word))
        {
            Refuse("trigger_word", ErrorCodes.InvalidTriggerWord, Expected);
        }

        return word;
    }

    private TrainingConfig Training()
    {
        var preset = Preset();
        return preset with
        {
            Steps = Whole("steps", MinSteps, MaxSteps) ?? preset.Steps,
            Rank = Whole("rank", MinRank, MaxRank) ?? preset.Rank,
            LearningRate = LearningRate() ?? preset.LearningRate,
            Resolution = Resolution() ?? preset.Resolution,
        };
    }

    private TrainingConfig Preset()
    {
        var standard = TrainingPreset.Find(TrainingPreset.Default)!;
        if (!Given("preset", out _))
        {
            return standard;
        }

        var expected = $"preset is one of: {string.Join(", ", TrainingPreset.Names)}.";
        if (!Text("preset", ErrorCodes.UnknownPreset, expected, out var name))
        {
            return standard;
        }

        if (TrainingPreset.Find(name) is { } preset)
        {
            return preset;
        }

        Refuse("preset", ErrorCodes.UnknownPreset, expected);
        return standard;
    }

    private int? Whole(string name, int least, int most)
    {
        if (!TrainingGiven(name, out var path, out var value))
        {
            return null;
        }

        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number >= least && number <= most)
        {
            return number;
        }

        Refuse(path, ErrorCodes.TrainingOutOfRange, $"{path} is a whole number from {least} to {most}.");
        return null;
    }

    private double? LearningRate()
    {
        if (!TrainingGiven("learning_rate", out var path, out var value))
        {
            return null;
        }

        if (value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var rate) && rate is >= MinLearningRate and <= MaxLearningRate)
        {
            return rate;
        }

        Refuse(path, ErrorCodes.TrainingOutOfRange, $"{path} is a number from 0.000001 to 0.01.");
        return null;
    }

    // "512,768", 512 and [512, 768] all occur in the earlier systems' configurations.
    private string? Resolution()
    {
        if (!TrainingGiven("resolution", out var path, out var value))
        {
            return null;
        }

        IEnumerable<string> sizes = value.ValueKind switch
        {
            JsonValueKind.String => (ReadString(value) ?? "").Split(',', StringSplitOptions.TrimEntries),
            JsonValueKind.Number => [value.GetRawText()],
            JsonValueKind.Array => value.EnumerateArray().Select(size => size.ValueKind == JsonValueKind.Number ? size.GetRawText() : ""),
            _ => [""],
        };
        var numbers = sizes
            .Select(size => int.TryParse(size, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0)
            .Take(MaxResolutions + 1)
            .ToArray();
        if (numbers.Length is > 0 and <= MaxResolutions && Array.TrueForAll(numbers, IsResolution) && numbers.Distinct().Count() == numbers.Length)
        {
            return string.Join(',', numbers.Order());
        }

        Refuse(
            path,
            ErrorCodes.TrainingOutOfRange,
            $"{path} is a list such as 512,768,1024: up to {MaxResolutions} different multiples of {ResolutionStep} from {MinResolution} to {MaxResolution}.");
        return null;
    }

    private static bool IsResolution(int size) => size is >= MinResolution and <= MaxResolution && size % ResolutionStep == 0;

    private string? Customization()
    {
        if (!Given("customization", out var value))
        {
            return null;
        }

        if (value.ValueKind != JsonValueKind.Object)
        {
            Refuse("customization", ErrorCodes.InvalidCustomization, "customization is a JSON object.");
            return null;
        }

        var json = value.GetRawText();
        if (Encoding.UTF8.GetByteCount(json) > MaxCustomizationBytes)
        {
            Refuse("customization", ErrorCodes.InvalidCustomization, "customization has at most 16 KiB.");
        }
        else if (Depth(value) > MaxCustomizationDepth)
        {
            Refuse("customization", ErrorCodes.InvalidCustomization, $"customization is at most {MaxCustomizationDepth} levels deep.");
        }
        else if (!IsStorable(value))
        {
            Refuse("customization", ErrorCodes.InvalidCustomization, "customization holds text that is not valid Unicode or has a zero character.");
        }

        return json;
    }

    private static int Depth(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => 1 + value.EnumerateObject().Select(property => Depth(property.Value)).DefaultIfEmpty().Max(),
        JsonValueKind.Array => 1 + value.EnumerateArray().Select(Depth).DefaultIfEmpty().Max(),
        _ => 0,
    };

    private static bool IsStorable(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => value.EnumerateObject().All(property => ReadName(property) is { } name && !name.Contains('\0') && IsStorable(property.Value)),
        JsonValueKind.Array => value.EnumerateArray().All(IsStorable),
        JsonValueKind.String => ReadString(value) is { } text && !text.Contains('\0'),
        _ => true,
    };

    private bool Text(string field, string code, string expected, out string text)
    {
        text = "";
        if (!Given(field, out var value) || value.ValueKind != JsonValueKind.String || ReadString(value) is not { } read)
        {
            Refuse(field, code, expected);
            return false;
        }

        text = read;
        return true;
    }

    // A null means the same as a field left out.
    private bool Given(string field, out JsonElement value) => _fields.TryGetValue(field, out value) && value.ValueKind != JsonValueKind.Null;

    private bool TrainingGiven(string name, out string path, out JsonElement value)
    {
        var given = _training.TryGetValue(name, out var entry);
        (path, value) = entry;
        return given && value.ValueKind != JsonValueKind.Null;
    }

    // Half of a surrogate pair is legal JSON and no text.
    private static string? ReadString(JsonElement value)
    {
        try
        {
            return value.GetString();
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    internal static string? ReadName(JsonProperty property)
    {
        try
        {
            return property.Name;
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    private void RefuseUnknown(string field)
    {
        var shown = field.Length <= MaxNameShown ? field : field[..MaxNameShown] + "…";
        Refuse(shown, ErrorCodes.UnknownField, $"'{shown}' is not a field of an identity.");
    }

    private void Refuse(string field, string code, string detail)
    {
        if (_errors.Count < MaxErrors)
        {
            _errors.Add(new FieldError(field, code, detail));
        }
    }
}
