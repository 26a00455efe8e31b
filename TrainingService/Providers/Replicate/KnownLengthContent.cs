using System.Net;

namespace Flurrty.TrainingService.Providers.Replicate;

/// <summary>Streams a body whose length is known beforehand, so that the multipart around it needs no buffering.</summary>
internal sealed class KnownLengthContent(Stream source, long length) : HttpContent
{
    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken) =>
        await source.CopyToAsync(stream, cancellationToken);

    protected override bool TryComputeLength(out long computed)
    {
        computed = length;
        return true;
    }
}
