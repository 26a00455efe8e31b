using System.Buffers;
using Flurrty.UploadService.Imaging;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;

namespace Flurrty.UploadService.PhotoSets;

/// <summary>
/// Reads a form of photos part by part. The photos before it are decoded and stored while a part arrives; memory is bounded by slots.
/// </summary>
internal sealed class PhotoUpload(PhotoIntake intake, PhotoSlots slots, IOptions<PhotoUploadOptions> options, TimeProvider time)
{
    private const int LongestBoundary = 100;
    private const int ChunkBytes = 64 * 1024;

    private readonly PhotoUploadOptions _options = options.Value;

    /// <summary>Takes every photo of the form.</summary>
    /// <returns>One outcome per file, in the form's order.</returns>
    public async Task<IReadOnlyList<IntakeOutcome>> ReceiveAsync(Guid accountId, Guid photoSetId, HttpRequest request, CancellationToken cancellationToken)
    {
        var reader = new MultipartReader(BoundaryOf(request), request.Body, ChunkBytes) { HeadersLengthLimit = 16 * 1024, HeadersCountLimit = 16 };
        using var requestSlots = new SemaphoreSlim(_options.ConcurrentPhotosPerRequest);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var outcomes = new List<Task<IntakeOutcome>>();
        var ids = new OrderedIds(time);
        try
        {
            while (await NextAsync(reader, cancellationToken) is { } section)
            {
                if (!TryGetFile(section, out var fileName))
                {
                    continue;
                }

                if (outcomes.Count >= _options.MaxFilesPerRequest)
                {
                    outcomes.Add(Task.FromResult(new IntakeOutcome(fileName, Photo: null, PhotoProblems.TooMany)));
                    break;
                }

                outcomes.Add(await TakeAsync(accountId, photoSetId, fileName, section, ids, requestSlots, ending.Token));
            }

            return await Task.WhenAll(outcomes);
        }
        catch
        {
            await ending.CancelAsync();
            await ((Task)Task.WhenAll(outcomes)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw;
        }
    }

    /// <summary>Receives one file; what follows runs on while the next arrives.</summary>
    private async Task<Task<IntakeOutcome>> TakeAsync(
        Guid accountId, Guid photoSetId, string? fileName, MultipartSection section, OrderedIds ids, SemaphoreSlim requestSlots, CancellationToken cancellationToken)
    {
        await requestSlots.WaitAsync(cancellationToken);
        PhotoSpool? spool = null;
        var slot = false;
        try
        {
            await slots.WaitAsync(cancellationToken);
            slot = true;
            spool = new PhotoSpool();
            if (!await ReceiveAsync(section.Body, spool, cancellationToken))
            {
                Release();
                return Task.FromResult(new IntakeOutcome(fileName, Photo: null, PhotoProblems.TooLarge(_options.MaxPhotoBytes)));
            }

            // Ids grow with the order of the form, whichever photo is stored first.
            return FinishAsync(ids.Next());
        }
        catch
        {
            Release();
            throw;
        }

        async Task<IntakeOutcome> FinishAsync(Guid photoId)
        {
            try
            {
                return await intake.TakeAsync(accountId, photoSetId, photoId, fileName, spool, cancellationToken);
            }
            finally
            {
                Release();
            }
        }

        void Release()
        {
            spool?.Dispose();
            if (slot)
            {
                slots.Release();
            }

            _ = requestSlots.Release();
        }
    }

    /// <summary>Reads a file into the spool.</summary>
    /// <returns>False when it is longer than allowed; the rest of it is left to the reader to skip.</returns>
    private async Task<bool> ReceiveAsync(Stream body, PhotoSpool spool, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(_options.ReceiveTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        var buffer = ArrayPool<byte>.Shared.Rent(ChunkBytes);
        try
        {
            int read;
            while ((read = await body.ReadAsync(buffer, either.Token)) > 0)
            {
                if (spool.Length + read > _options.MaxPhotoBytes)
                {
                    return false;
                }

                spool.Append(buffer.AsSpan(0, read));
            }

            return true;
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw PhotoProblems.TooSlow();
        }
        catch (Exception problem) when (IsBrokenForm(problem))
        {
            throw PhotoProblems.MultipartMalformed("The form ended inside a photo. Send it again; what was accepted before is kept.");
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static async Task<MultipartSection?> NextAsync(MultipartReader reader, CancellationToken cancellationToken)
    {
        try
        {
            return await reader.ReadNextSectionAsync(cancellationToken);
        }
        catch (Exception problem) when (IsBrokenForm(problem))
        {
            throw PhotoProblems.MultipartMalformed("Its parts are not separated as the Content-Type header says, or it ends early. Let an HTTP client build the form.");
        }
    }

    // The server's own refusals (too large, too slow, reset) are IOExceptions too and keep their meaning.
    private static bool IsBrokenForm(Exception problem) =>
        problem is InvalidDataException or (IOException and not BadHttpRequestException and not Microsoft.AspNetCore.Connections.ConnectionResetException);

    private static bool TryGetFile(MultipartSection section, out string? fileName)
    {
        fileName = null;
        if (!ContentDispositionHeaderValue.TryParse(section.ContentDisposition, out var disposition) || !disposition.DispositionType.Equals("form-data"))
        {
            return false;
        }

        var sent = disposition.FileNameStar.HasValue ? disposition.FileNameStar : disposition.FileName;
        fileName = FileNames.Clean(HeaderUtilities.RemoveQuotes(sent).Value);
        return sent.HasValue || HeaderUtilities.RemoveQuotes(disposition.Name).Equals("photos", StringComparison.Ordinal);
    }

    private static string BoundaryOf(HttpRequest request)
    {
        if (!MediaTypeHeaderValue.TryParse(request.ContentType, out var type) || !type.MediaType.Equals("multipart/form-data", StringComparison.OrdinalIgnoreCase))
        {
            throw PhotoProblems.MultipartRequired();
        }

        var boundary = HeaderUtilities.RemoveQuotes(type.Boundary).Value;
        return boundary is { Length: > 0 and <= LongestBoundary } ? boundary : throw PhotoProblems.MultipartRequired();
    }
}
