using System.Net;
using Amazon.S3;
using Flurrty.ServiceDefaults.Data;
using Flurrty.ServiceDefaults.Storage;
using Flurrty.UploadService.Persistence;
using Flurrty.UploadService.PhotoSets;
using Flurrty.UploadService.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Flurrty.UploadService.ResumableUploads;

/// <summary>Receives the bytes of a PATCH. What arrived of a request that breaks is kept; with the last byte the photo is judged.</summary>
internal sealed class ResumableReceiver(
    ObjectStore store, QuarantineIntake intake, IOptions<ResumableUploadOptions> options, TimeProvider time) : IDisposable
{
    private readonly SemaphoreSlim _slots = new(options.Value.ConcurrentRequests);

    /// <summary>Adds the bytes of a request.</summary>
    /// <returns>Where the upload stands then, and what became of it when it is whole.</returns>
    public async Task<(long Offset, IntakeOutcome? Outcome)> ReceiveAsync(
        UploadsContext db, PendingUpload upload, Stream body, ChunkChecksum? checksum, CancellationToken cancellationToken)
    {
        await _slots.WaitAsync(cancellationToken);
        try
        {
            using var parts = new PartWriter(store, db, upload, options.Value.PartBytes);
            await parts.ResumeAsync(cancellationToken);
            await FillAsync(parts, body, checksum, cancellationToken);
            if (parts.Remaining > 0)
            {
                return (parts.Position, Outcome: null);
            }

            // The last bytes count once the photo was judged: if that fails for a while, the sender repeats them and it is judged again.
            return (upload.Bytes, await JudgeAsync(db, upload, parts.Keys, cancellationToken));
        }
        catch (AmazonS3Exception problem) when (problem.StatusCode == HttpStatusCode.NotFound)
        {
            throw UploadProblems.Expired();
        }
        catch (Exception problem) when (problem is not BadHttpRequestException && StoreFailures.Is(problem, cancellationToken))
        {
            throw PhotoProblems.StorageUnavailable();
        }
        finally
        {
            _ = _slots.Release();
        }
    }

    public void Dispose() => _slots.Dispose();

    private async Task FillAsync(PartWriter parts, Stream body, ChunkChecksum? checksum, CancellationToken cancellationToken)
    {
        while (parts.Remaining > 0)
        {
            int read;
            try
            {
                read = await body.ReadAsync(parts.Room, cancellationToken);
            }
            catch (Exception problem) when (problem is IOException or OperationCanceledException)
            {
                // A checksum covers the whole request, so a part of it proves nothing.
                if (checksum is null)
                {
                    await KeepAsync(parts);
                }

                throw problem is BadHttpRequestException { StatusCode: StatusCodes.Status400BadRequest } ? TusProblems.Incomplete() : problem;
            }

            if (read == 0)
            {
                break;
            }

            checksum?.Append(parts.Room.Span[..read]);
            parts.Advance(read);
            if (parts.Room.IsEmpty && parts.Remaining > 0)
            {
                await parts.StoreAsync(cancellationToken);
                if (checksum is null)
                {
                    await parts.CommitAsync(cancellationToken);
                }
            }
        }

        if (parts.Remaining == 0 && await body.ReadAsync(new byte[1], cancellationToken) > 0)
        {
            throw TusProblems.TooLong(parts.Position);
        }

        if (checksum?.Matches() == false)
        {
            throw TusProblems.ChecksumMismatch();
        }

        await parts.StoreAsync(cancellationToken);
        if (parts.Remaining > 0)
        {
            await parts.CommitAsync(cancellationToken);
        }
    }

    // The sender is gone, so its cancellation must not end this.
    private async Task KeepAsync(PartWriter parts)
    {
        if (!parts.IsDirty)
        {
            return;
        }

        using var limit = new CancellationTokenSource(options.Value.StoreTimeout, time);
        try
        {
            await parts.StoreAsync(limit.Token);
            await parts.CommitAsync(limit.Token);
        }
        catch (Exception problem) when (StoreFailures.Is(problem, CancellationToken.None) || problem is ServiceDefaults.Problems.ProblemException or Npgsql.NpgsqlException or DbUpdateException)
        {
            // What could not be kept is sent again.
        }
    }

    private async Task<IntakeOutcome> JudgeAsync(UploadsContext db, PendingUpload upload, IReadOnlyList<string> keys, CancellationToken cancellationToken)
    {
        if (await intake.TakeAsync(upload, keys, Guid.CreateVersion7(time.GetUtcNow()), cancellationToken) is { } outcome)
        {
            return outcome;
        }

        // Another request was the last one before this, and the bytes are gone already; or the store has lost them.
        return await db.AsAccountAsync(
            upload.AccountId,
            async token =>
            {
                var now = await PendingUploads.FindAsync(db, upload.PhotoSetId, upload.Id, upload.Way, token);
                return now.IsDone ? await PendingUploads.OutcomeOfAsync(db, now, token) : throw UploadProblems.Expired();
            },
            cancellationToken);
    }
}
