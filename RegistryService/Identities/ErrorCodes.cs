namespace Flurrty.RegistryService.Identities;

/// <summary>The stable codes that a request for an identity can be refused with.</summary>
internal static class ErrorCodes
{
    public const string UnsupportedMediaType = "unsupported_media_type";
    public const string InvalidJson = "invalid_json";
    public const string RequestTooLarge = "request_too_large";
    public const string ValidationFailed = "validation_failed";
    public const string UnknownField = "unknown_field";
    public const string DuplicateField = "duplicate_field";
    public const string InvalidName = "invalid_name";
    public const string InvalidPhotoSetId = "invalid_photo_set_id";
    public const string UnknownPreset = "unknown_preset";
    public const string UnknownProvider = "unknown_provider";
    public const string InvalidTriggerWord = "invalid_trigger_word";
    public const string InvalidTraining = "invalid_training";
    public const string TrainingOutOfRange = "training_out_of_range";
    public const string InvalidCustomization = "invalid_customization";
    public const string InvalidIdempotencyKey = "idempotency_key_invalid";
    public const string IdempotencyKeyReused = "idempotency_key_reused";
    public const string PhotoSetsUnavailable = "photo_sets_unavailable";
    public const string InvalidCursor = "invalid_cursor";
    public const string InvalidLimit = "invalid_limit";
    public const string IdentityNotFound = "identity_not_found";
    public const string ModelNotReady = "model_not_ready";
    public const string ModelUnavailable = "model_unavailable";
}
