using Amazon.Runtime;

namespace Flurrty.UploadService.Storage;

/// <summary>Tells the store's failures from our own.</summary>
internal static class StoreFailures
{
    /// <summary>Whether the store is away or refuses, and the caller is still there to hear of it.</summary>
    public static bool Is(Exception problem, CancellationToken cancellationToken) => !cancellationToken.IsCancellationRequested
        && problem is (AmazonServiceException or AmazonClientException or HttpRequestException or IOException or OperationCanceledException);
}
