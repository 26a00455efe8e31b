using System.Buffers.Text;
using System.Globalization;
using System.Text;
using Flurrty.ServiceDefaults.Data;
using Flurrty.ServiceDefaults.Problems;
using Flurrty.ServiceDefaults.Tickets;
using Flurrty.TrainingService.Jobs;
using Flurrty.TrainingService.Persistence;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;

namespace Flurrty.TrainingService.Trainings;

/// <summary>What became of a job, or stands in its way.</summary>
/// <param name="Category">The category of the error.</param>
/// <param name="Code">The stable code.</param>
/// <param name="Retryable">Whether a retry may succeed.</param>
internal sealed record TrainingFailureView(string Category, string Code, bool Retryable);

/// <summary>The model that a job made.</summary>
internal sealed record TrainingModelView(long Bytes, string Sha256, DateTimeOffset TrainedAt, string? Warning);

/// <summary>One job in a list.</summary>
internal sealed record TrainingListItem(
    Guid Id,
    Guid IdentityId,
    string State,
    int Progress,
    string? Provider,
    int Attempt,
    string? FailureCode,
    DateTimeOffset CreatedAt,
    DateTimeOffset UpdatedAt);

/// <summary>A page of jobs, newest first.</summary>
internal sealed record TrainingList(IReadOnlyList<TrainingListItem> Items, string? NextCursor);

/// <summary>A job's own debug summary.</summary>
internal sealed record TrainingSummary(
    Guid Id,
    Guid IdentityId,
    string State,
    long Revision,
    int Progress,
    string RequestedProvider,
    string? Provider,
    string? ProviderMode,
    TrainingConfigView Config,
    DateTimeOffset? EstimatedCompletion,
    string? WaitingReason,
    DateTimeOffset? WaitingUntil,
    bool CancelRequested,
    TrainingFailureView? Failure,
    string? FailureDetail,
    TrainingModelView? Model,
    int DatasetPhotos,
    long DatasetBytes,
    IReadOnlyList<TrainingStageView> Stages,
    IReadOnlyList<TrainingAttemptView> Attempts,
    DateTimeOffset CreatedAt,
    DateTimeOffset UpdatedAt);

/// <summary>The parameters that a job trains with.</summary>
internal sealed record TrainingConfigView(string Preset, string? Trainer, int Steps, int Rank, double? LearningRate, string Resolution);

/// <summary>One stay in a state.</summary>
internal sealed record TrainingStageView(
    string Stage,
    int Attempt,
    DateTimeOffset StartedAt,
    DateTimeOffset? EndedAt,
    double? Seconds,
    int FailedTries,
    long? Bytes,
    string? ProviderId,
    string? ErrorCategory,
    string? ErrorDetail);

/// <summary>One intent to buy one run.</summary>
internal sealed record TrainingAttemptView(
    int Number,
    string Provider,
    string State,
    string? InputId,
    string? Destination,
    string? TrainerVersion,
    int Posts,
    DateTimeOffset? PostedAt,
    string? RunId,
    string? ProviderStatus,
    int? Step,
    long LogBytes,
    DateTimeOffset? RunStartedAt,
    DateTimeOffset? RunEndedAt,
    string? OutputVersion,
    double? BilledSeconds,
    string? ErrorCategory,
    string? ErrorDetail,
    DateTimeOffset CreatedAt,
    DateTimeOffset? EndedAt);

/// <summary>Trainings as their account sees them.</summary>
internal static class TrainingEndpoints
{
    private const int MaxPageSize = 100;

    public static IEndpointRouteBuilder MapTrainings(this IEndpointRouteBuilder routes)
    {
        var trainings = routes.MapGroup("/api/trainings").WithTags("Trainings");
        trainings.MapGet("/", ListAsync)
            .WithName("ListTrainings")
            .WithSummary("List trainings, newest first")
            .ProducesProblem(StatusCodes.Status400BadRequest);
        trainings.MapGet("/{id:guid}", GetAsync)
            .WithName("GetTraining")
            .WithSummary("Get a training's debug summary: its stages, attempts and errors")
            .ProducesProblem(StatusCodes.Status404NotFound);
        return routes;
    }

    private static async Task<Results<Ok<TrainingList>, ProblemHttpResult>> ListAsync(
        HttpContext context, TrainingContext db, CancellationToken cancellationToken, [FromQuery(Name = "cursor")] string? position = null, int limit = 20)
    {
        if (limit is < 1 or > MaxPageSize)
        {
            return Problem.Result(StatusCodes.Status400BadRequest, "limit_out_of_range", "The limit is out of range.", $"Use 1 to {MaxPageSize}.");
        }

        (DateTimeOffset CreatedAt, Guid Id)? cursor = null;
        if (position is not null && (cursor = Cursor.Parse(position)) is null)
        {
            return Problem.Result(
                StatusCodes.Status400BadRequest, "cursor_invalid", "The cursor is not valid.", "Use the value of next_cursor from the page before.");
        }

        var items = await db.AsAccountAsync(
            context.GetCaller().AccountId,
            token =>
            {
                var jobs = db.Jobs.AsNoTracking();
                if (cursor is var (createdAt, id))
                {
                    jobs = jobs.Where(job => job.CreatedAt < createdAt || (job.CreatedAt == createdAt && job.Id.CompareTo(id) < 0));
                }

                return jobs.OrderByDescending(job => job.CreatedAt).ThenByDescending(job => job.Id).Take(limit + 1).ToListAsync(token);
            },
            cancellationToken);
        var page = items.Take(limit).ToList();
        return TypedResults.Ok(new TrainingList(
            [.. page.Select(static job => new TrainingListItem(
                job.Id, job.IdentityId, job.State.ToText(), job.Progress, job.Provider, job.AttemptNumber, job.FailureCode, job.CreatedAt, job.UpdatedAt))],
            items.Count > limit ? Cursor.Format(page[^1].CreatedAt, page[^1].Id) : null));
    }

    private static async Task<Results<Ok<TrainingSummary>, ProblemHttpResult>> GetAsync(
        Guid id, HttpContext context, TrainingContext db, CancellationToken cancellationToken)
    {
        var summary = await db.AsAccountAsync(
            context.GetCaller().AccountId,
            async token =>
            {
                if (await db.Jobs.AsNoTracking().SingleOrDefaultAsync(job => job.Id == id, token) is not { } job)
                {
                    return null;
                }

                var attempts = await db.Attempts.AsNoTracking().Where(attempt => attempt.JobId == id).OrderBy(attempt => attempt.Number).ToListAsync(token);
                var stages = await db.Stages.AsNoTracking().Where(stage => stage.JobId == id).OrderBy(stage => stage.Number).ToListAsync(token);
                return Summarize(job, attempts, stages);
            },
            cancellationToken);
        return summary is null ? NotFound() : TypedResults.Ok(summary);
    }

    internal static ProblemHttpResult NotFound() => Problem.Result(
        StatusCodes.Status404NotFound, "training_not_found", "There is no such training.", "Check the id. What belongs to somebody else is not shown.");

    internal static TrainingFailureView? FailureOf(Job job) =>
        job.FailureCode is { } code ? new TrainingFailureView(job.FailureCategory!, code, job.FailureRetryable) : null;

    internal static TrainingModelView? ModelOf(Job job) =>
        job is { ModelBytes: { } bytes, ModelSha256: { } sha256, TrainedAt: { } trainedAt }
            ? new TrainingModelView(bytes, sha256, trainedAt, job.ModelWarning)
            : null;

    private static TrainingSummary Summarize(Job job, List<Attempt> attempts, List<JobStage> stages) => new(
        job.Id,
        job.IdentityId,
        job.State.ToText(),
        job.Revision,
        job.Progress,
        job.RequestedProvider,
        job.Provider,
        job.ProviderMode?.ToText(),
        new TrainingConfigView(job.Preset, job.Trainer, job.Steps, job.Rank, job.LearningRate, job.Resolution),
        job.EstimatedCompletion,
        job.WaitingReason?.ToText(),
        job.WaitingUntil,
        job.CancelRequested,
        FailureOf(job),
        job.FailureDetail,
        ModelOf(job),
        job.DatasetPhotos,
        job.DatasetBytes,
        [.. stages.Select(static stage => new TrainingStageView(
            stage.State.ToText(),
            stage.Attempt,
            stage.StartedAt,
            stage.EndedAt,
            (stage.EndedAt - stage.StartedAt)?.TotalSeconds,
            stage.Tries,
            stage.Bytes,
            stage.ProviderId,
            stage.ErrorCategory,
            stage.ErrorDetail))],
        [.. attempts.Select(static attempt => new TrainingAttemptView(
            attempt.Number,
            attempt.Provider,
            attempt.State.ToText(),
            attempt.InputId,
            attempt.Destination,
            attempt.TrainerVersion,
            attempt.Posts,
            attempt.PostedAt,
            attempt.RunId,
            attempt.ProviderStatus,
            attempt.Step,
            attempt.LogBytes,
            attempt.RunStartedAt,
            attempt.RunEndedAt,
            attempt.OutputVersion,
            attempt.BilledSeconds,
            attempt.ErrorCategory,
            attempt.ErrorDetail,
            attempt.CreatedAt,
            attempt.EndedAt))],
        job.CreatedAt,
        job.UpdatedAt);

    /// <summary>The place after which a page begins.</summary>
    private static class Cursor
    {
        public static string Format(DateTimeOffset createdAt, Guid id) =>
            Base64Url.EncodeToString(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{createdAt.UtcTicks}.{id:N}")));

        public static (DateTimeOffset CreatedAt, Guid Id)? Parse(string text)
        {
            Span<byte> bytes = stackalloc byte[64];
            if (text.Length > 80 || !Base64Url.IsValid(text) || !Base64Url.TryDecodeFromChars(text, bytes, out var length))
            {
                return null;
            }

            var parts = Encoding.ASCII.GetString(bytes[..length]).Split('.');
            return parts is [var ticksText, var idText]
                && long.TryParse(ticksText, NumberStyles.None, CultureInfo.InvariantCulture, out var ticks)
                && ticks <= DateTimeOffset.MaxValue.UtcTicks
                && Guid.TryParseExact(idText, "N", out var id)
                    ? (new DateTimeOffset(ticks, TimeSpan.Zero), id)
                    : null;
        }
    }
}
