namespace Flurrty.TrainingService.Driving;

/// <summary>What the log says of jobs.</summary>
internal static partial class JobLog
{
    [LoggerMessage(EventId = 4301, Level = LogLevel.Warning, Message = "Another process has job {JobId} now; its work here ends")]
    public static partial void Fenced(ILogger logger, Guid jobId);

    [LoggerMessage(EventId = 4302, Level = LogLevel.Warning, Message = "The database is away while job {JobId} is worked on: {Reason}")]
    public static partial void DatabaseAway(ILogger logger, Guid jobId, string reason);

    [LoggerMessage(EventId = 4303, Level = LogLevel.Error, Message = "A step of job {JobId} in state {State} failed unexpectedly")]
    public static partial void StepFailed(ILogger logger, Guid jobId, string state, Exception exception);

    [LoggerMessage(EventId = 4304, Level = LogLevel.Warning, Message = "Job {JobId} failed with {Code} ({Category}): {Detail}")]
    public static partial void Failed(ILogger logger, Guid jobId, string code, string category, string? detail);

    [LoggerMessage(EventId = 4305, Level = LogLevel.Information, Message = "Job {JobId} is canceled")]
    public static partial void Canceled(ILogger logger, Guid jobId);

    [LoggerMessage(EventId = 4306, Level = LogLevel.Warning, Message = "The input of job {JobId} stays at the provider until it expires: {Reason}")]
    public static partial void InputKept(ILogger logger, Guid jobId, string reason);

    [LoggerMessage(EventId = 4307, Level = LogLevel.Information, Message = "Job {JobId} tries again in state {State} after {Category}: {Reason}")]
    public static partial void TryingAgain(ILogger logger, Guid jobId, string state, string category, string reason);

    [LoggerMessage(EventId = 4308, Level = LogLevel.Information, Message = "Attempt {Attempt} of job {JobId} is run {RunId}")]
    public static partial void Submitted(ILogger logger, Guid jobId, int attempt, string runId);

    [LoggerMessage(EventId = 4309, Level = LogLevel.Warning, Message = "Whether attempt {Attempt} of job {JobId} made a run is not known: {Reason}")]
    public static partial void OutcomeUnknown(ILogger logger, Guid jobId, int attempt, string reason);

    [LoggerMessage(EventId = 4310, Level = LogLevel.Warning, Message = "Attempt {Attempt} of job {JobId} had made run {RunId}, which is adopted")]
    public static partial void Adopted(ILogger logger, Guid jobId, int attempt, string runId);

    [LoggerMessage(EventId = 4311, Level = LogLevel.Warning, Message = "Attempt {Attempt} of job {JobId} has made no run and can make none")]
    public static partial void NotRun(ILogger logger, Guid jobId, int attempt);

    [LoggerMessage(EventId = 4312, Level = LogLevel.Warning, Message = "The model of job {JobId} changes nothing: its up-projections are all zero")]
    public static partial void DidNothing(ILogger logger, Guid jobId);

    [LoggerMessage(EventId = 4313, Level = LogLevel.Information, Message = "Job {JobId} succeeded with a model of {Bytes} bytes")]
    public static partial void Succeeded(ILogger logger, Guid jobId, long bytes);

    [LoggerMessage(EventId = 4315, Level = LogLevel.Warning,
        Message = "Job {JobId} waits at {Provider} for {Reason} until {Deadline:O}: {Answer} It goes on by itself when that is mended")]
    public static partial void Waiting(ILogger logger, Guid jobId, string provider, string reason, DateTimeOffset deadline, string answer);

    [LoggerMessage(EventId = 4314, Level = LogLevel.Warning,
        Message = "Job {JobId} was begun at {Provider} in the mode live, which is {Mode} now. Nothing is sent there; it goes on when the mode is live again")]
    public static partial void OtherMode(ILogger logger, Guid jobId, string provider, string mode);
}
