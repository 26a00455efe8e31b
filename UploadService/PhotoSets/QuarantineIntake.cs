using System.Buffers;
using System.Net;
using Amazon.S3;
using Flurrty.ServiceDefaults.Data;
using Flurrty.ServiceDefaults.Storage;
using Flurrty.UploadService.Imaging;
using Flurrty.UploadService.Persistence;
using Flurrty.UploadService.Storage;

namespace Flurrty.UploadService.PhotoSets;

/// <summary>
/// Judges the bytes of an upload that lie in quarantine, as if they had just come in a form: what is hashed and decoded is one copy
/// in memory, so nothing that is put later can change it.
/// </summary>
internal sealed class QuarantineIntake(PhotoIntake intake, ObjectStore store, PhotoSlots slots, IServiceScopeFactory scopes, RemovalSignal removals)
{
    private const int ChunkBytes = 64 * 1024;

    /// <summary>Takes the upload into its set and ends it, whether it was accepted or refused.</summary>
    /// <param name="upload">The upload.</param>
    /// <param name="keys">Its objects, in order.</param>
    /// <param name="photoId">Id of the photo that it may become.</param>
    /// <param name="cancellationToken">Ends the work; the upload stays as it is.</param>
    /// <returns>What became of it, or null when one of the objects is not there.</returns>
    public async Task<IntakeOutcome?> TakeAsync(PendingUpload upload, IReadOnlyList<string> keys, Guid photoId, CancellationToken cancellationToken)
    {
        await slots.WaitAsync(cancellationToken);
        IntakeOutcome outcome;
        try
        {
            using var spool = new PhotoSpool();
            if (await ReadAsync(keys, spool, upload.Bytes, cancellationToken) is not { } isWhole)
            {
                return null;
            }

            outcome = isWhole && IsAsPromised(spool, upload)
                ? await intake.TakeAsync(upload.AccountId, upload.PhotoSetId, photoId, upload.FileName, spool, cancellationToken)
                : new IntakeOutcome(upload.FileName, Photo: null, UploadProblems.ChecksumMismatch);
        }
        finally
        {
            slots.Release();
        }

        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<UploadsContext>();
        await db.AsAccountAsync(upload.AccountId, async token => await PendingUploads.EndAsync(db, upload, outcome, token), cancellationToken);
        removals.Raise();
        return outcome;
    }

    private static bool IsAsPromised(PhotoSpool spool, PendingUpload upload) =>
        spool.Length == upload.Bytes && (upload.Sha256 is null || string.Equals(Convert.ToHexStringLower(spool.Sha256), upload.Sha256, StringComparison.Ordinal));

    /// <summary>Reads the objects.</summary>
    /// <returns>False when there is more than promised, null when an object is missing.</returns>
    private async Task<bool?> ReadAsync(IReadOnlyList<string> keys, PhotoSpool spool, long promised, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(ChunkBytes);
        try
        {
            foreach (var key in keys)
            {
                await using var content = await store.GetAsync(key, cancellationToken);
                int read;
                while ((read = await content.ReadAsync(buffer, cancellationToken)) > 0)
                {
                    if (spool.Length + read > promised)
                    {
                        return false;
                    }

                    spool.Append(buffer.AsSpan(0, read));
                }
            }

            return true;
        }
        catch (AmazonS3Exception problem) when (problem.StatusCode == HttpStatusCode.NotFound)
        {
            return null;
        }
        catch (Exception problem) when (StoreFailures.Is(problem, cancellationToken))
        {
            throw PhotoProblems.StorageUnavailable();
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
