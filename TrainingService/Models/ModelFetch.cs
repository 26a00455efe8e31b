using System.Diagnostics;
using Flurrty.TrainingService.Jobs;
using Flurrty.TrainingService.Providers;
using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Models;

/// <summary>A checked model in a temporary file, which is gone when this is disposed.</summary>
internal sealed class FetchedModel(FileStream file, string sha256, LoraSummary summary) : IAsyncDisposable
{
    public FileStream File { get; } = file;

    public string Sha256 { get; } = sha256;

    public LoraSummary Summary { get; } = summary;

    public ValueTask DisposeAsync() => File.DisposeAsync();
}

/// <summary>Fetches the archive of a finished run and takes the checked model out of it.</summary>
internal sealed class ModelFetch(IOptions<ModelOptions> options)
{
    private static readonly ActivitySource Source = new("Flurrty.TrainingService");

    private readonly ModelOptions _options = options.Value;

    public async Task<FetchedModel> FetchAsync(ITrainingProvider provider, Uri location, CancellationToken cancellationToken)
    {
        await using var archive = CreateTemporaryFile();
        using (var activity = Source.StartActivity("artifact download", ActivityKind.Client))
        {
            activity?.SetTag("server.address", location.Host);
            await DownloadAsync(provider, location, archive, cancellationToken);
            activity?.SetTag("flurrty.bytes", archive.Length);
        }

        archive.Position = 0;
        var model = CreateTemporaryFile();
        try
        {
            var sha256 = await ModelArchive.ExtractAsync(archive, model, _options.MaxBytes, cancellationToken);
            model.Position = 0;
            var summary = await LoraFile.ValidateAsync(model, cancellationToken);
            model.Position = 0;
            return new FetchedModel(model, sha256, summary);
        }
        catch
        {
            await model.DisposeAsync();
            throw;
        }
    }

    private async Task DownloadAsync(ITrainingProvider provider, Uri location, FileStream target, CancellationToken cancellationToken)
    {
        try
        {
            using var response = await provider.OpenArtifactAsync(location, cancellationToken);
            if (response.Content.Headers.ContentLength > _options.MaxBytes)
            {
                throw new ModelInvalidException("The artifact is larger than allowed.");
            }

            await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
            var buffer = new byte[128 * 1024];
            while (await body.ReadAsync(buffer, cancellationToken) is > 0 and var read)
            {
                if (target.Length + read > _options.MaxBytes)
                {
                    throw new ModelInvalidException("The artifact is larger than allowed.");
                }

                await target.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
            }

            if (response.Content.Headers.ContentLength is { } announced && announced != target.Length)
            {
                throw new ProviderException(ErrorCategory.Network, "The artifact arrived incomplete.");
            }
        }
        catch (Exception broken) when (broken is HttpRequestException or HttpIOException
            || (broken is IOException && broken is not FileNotFoundException))
        {
            throw new ProviderException(ErrorCategory.Network, "The artifact's download broke off.", inner: broken);
        }
    }

    private FileStream CreateTemporaryFile()
    {
        var directory = _options.TemporaryDirectory.Length > 0 ? _options.TemporaryDirectory : Path.GetTempPath();
        var path = Path.Combine(directory, $"flurrty-model-{Guid.NewGuid():N}.tmp");
        var file = new FileStream(
            path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, bufferSize: 0, FileOptions.Asynchronous | FileOptions.DeleteOnClose);
        if (!OperatingSystem.IsWindows())
        {
            // Without a name it leaves nothing behind, not even when this process is killed.
            File.Delete(path);
        }

        return file;
    }
}
