using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Flurrty.Sandbox.Replicate;

/// <summary>
/// What the runner inside Replicate does with an input before the model sees it. It happens after the create was answered,
/// so a bad value is a run that failed, not a refused request. Unknown names are ignored.
/// </summary>
internal static class InputValidation
{
    /// <returns>The run's error, or null when the input is fine.</returns>
    public static string? Check(IReadOnlyList<Input> inputs, JsonElement given)
    {
        var detail = new JsonArray();
        foreach (var input in inputs)
        {
            if (!given.TryGetProperty(input.Name, out var value) || value.ValueKind == JsonValueKind.Null)
            {
                if (input.Required)
                {
                    detail.Add(Error(input, "field required", "value_error.missing"));
                }
            }
            else if (Check(input, value) is { } error)
            {
                detail.Add(error);
            }
        }

        return detail.Count == 0
            ? null
            : "Prediction input failed validation: " + new JsonObject { ["detail"] = detail }.ToJsonString(Wire.Json);
    }

    /// <summary>The number that a run uses, after the same conversions.</summary>
    public static double Number(IReadOnlyList<Input> inputs, JsonElement given, string name)
    {
        var input = inputs.First(input => input.Name == name);
        return given.TryGetProperty(name, out var value) && Numeric(value) is { } number ? number : double.Parse(input.Default!.ToJsonString(), CultureInfo.InvariantCulture);
    }

    private static JsonObject? Check(Input input, JsonElement value)
    {
        switch (input.Type)
        {
            case InputType.Whole:
                return Numeric(value) is not { } whole || !double.IsInteger(whole) ? Error(input, "value is not a valid integer", "type_error.integer") : Range(input, whole);
            case InputType.Number:
                return Numeric(value) is not { } number ? Error(input, "value is not a valid float", "type_error.float") : Range(input, number);
            case InputType.Flag:
                return value.ValueKind is JsonValueKind.True or JsonValueKind.False
                    || value.ValueKind == JsonValueKind.String && value.GetString()!.ToUpperInvariant() is "TRUE" or "FALSE" or "1" or "0" or "ON" or "OFF" or "YES" or "NO"
                    || Numeric(value) is 0 or 1
                    ? null
                    : Error(input, "value could not be parsed to a boolean", "type_error.bool");
            default:
                if (value.ValueKind is JsonValueKind.Object or JsonValueKind.Array)
                {
                    return Error(input, "str type expected", "type_error.str");
                }

                return input.Choices is { } choices && !choices.Contains(value.ToString())
                    ? Error(input, $"value is not a valid enumeration member; permitted: {string.Join(", ", choices.Select(choice => $"'{choice}'"))}", "type_error.enum")
                    : null;
        }
    }

    private static JsonObject? Range(Input input, double value)
    {
        if (value < input.Minimum)
        {
            return Error(input, $"ensure this value is greater than or equal to {Plain(input.Minimum.Value)}", "value_error.number.not_ge", input.Minimum);
        }

        return value > input.Maximum
            ? Error(input, $"ensure this value is less than or equal to {Plain(input.Maximum.Value)}", "value_error.number.not_le", input.Maximum)
            : null;
    }

    private static double? Numeric(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Number => value.GetDouble(),
        JsonValueKind.String when double.TryParse(value.GetString(), CultureInfo.InvariantCulture, out double number) && double.IsFinite(number) => number,
        _ => null,
    };

    private static string Plain(double number) => number.ToString(CultureInfo.InvariantCulture);

    private static JsonObject Error(Input input, string message, string type, double? limit = null)
    {
        var error = new JsonObject
        {
            ["loc"] = new JsonArray("body", "input", input.Name),
            ["msg"] = message,
            ["type"] = type,
        };
        if (limit is { } value)
        {
            error["ctx"] = new JsonObject { ["limit_value"] = value };
        }

        return error;
    }
}
