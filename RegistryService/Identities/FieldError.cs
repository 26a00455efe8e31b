namespace Flurrty.RegistryService.Identities;

/// <summary>One thing wrong with one field of a request.</summary>
internal sealed record FieldError(string Field, string Code, string Detail);
