using System.Collections.Concurrent;
using System.IO.Compression;
using System.Net;
using System.Security.Cryptography;
using Flurrty.ServiceDefaults.Tickets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Flurrty.TrainingService.Tests.Service;

/// <summary>What stands around TrainingService: the store, UploadService, and the gateway as far as it passes webhooks on.</summary>
internal sealed class Surroundings : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly HttpClient _client = new();
    private readonly byte[] _dataset = MakeDataset();

    private Surroundings(WebApplication app) => _app = app;

    public Uri Address { get; private set; } = null!;

    public string TriggerWord => "FLRXQ";

    /// <summary>Where webhooks are passed on to; null drops them.</summary>
    public Uri? WebhookTarget { get; set; }

    /// <summary>Changes a delivery on its way, for tests of forged ones.</summary>
    public Func<HttpRequestMessage, Task>? ChangeWebhook { get; set; }

    public ConcurrentQueue<(string Path, HttpStatusCode Status)> Webhooks { get; } = new();

    public ConcurrentDictionary<string, byte[]> Objects { get; } = new(StringComparer.Ordinal);

    /// <summary>Answers of UploadService that depart from 200, by job.</summary>
    public ConcurrentDictionary<Guid, int> DatasetAnswers { get; } = new();

    private TaskCompletionSource? _holdPut;

    /// <summary>Never answers the next put of an object; the task ends when it has come.</summary>
    public Task HoldNextPut() => (_holdPut = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

    public string DatasetSha256 => Convert.ToHexStringLower(SHA256.HashData(_dataset));

    public int DatasetBytes => _dataset.Length;

    public static async Task<Surroundings> StartAsync(TicketSigner gateway)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var surroundings = new Surroundings(app);
        app.MapGet("/internal/datasets/{id:guid}", surroundings.GetDataset);
        app.MapGet("/dataset.zip", (HttpContext context) =>
        {
            context.Response.ContentLength = surroundings._dataset.Length;
            return context.Response.Body.WriteAsync(surroundings._dataset, context.RequestAborted).AsTask();
        });
        app.MapGet("/alive", static () => Results.Text("Healthy"));
        app.Map("/webhooks/{**rest}", (HttpContext context) => surroundings.PassOnAsync(context, gateway));
        app.Map("/models/{**key}", surroundings.StoreAsync);
        await app.StartAsync();
        surroundings.Address = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
        return surroundings;
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _app.DisposeAsync();
    }

    private IResult GetDataset(Guid id, HttpContext context)
    {
        if (context.Request.Headers[TicketAuthentication.HeaderName].Count != 1)
        {
            return Results.StatusCode(401);
        }

        if (DatasetAnswers.TryGetValue(id, out var status))
        {
            return Results.Json(new { code = status == 404 ? "dataset_not_found" : "dataset_not_ready" }, statusCode: status);
        }

        return Results.Json(new
        {
            url = new Uri(Address, "/dataset.zip"),
            bytes = _dataset.Length,
            sha256 = DatasetSha256,
            photo_count = 3,
            trigger_word = TriggerWord,
        });
    }

    private async Task PassOnAsync(HttpContext context, TicketSigner gateway)
    {
        var path = context.Request.Path.Value!;
        if (WebhookTarget is not { } target)
        {
            context.Response.StatusCode = 503;
            return;
        }

        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(target, path));
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        request.Content = new ByteArrayContent(body.ToArray());
        foreach (var name in new[] { "webhook-id", "webhook-timestamp", "webhook-signature" })
        {
            request.Headers.TryAddWithoutValidation(name, context.Request.Headers[name].ToString());
        }

        request.Headers.Add(TicketAuthentication.HeaderName, gateway.Sign(TicketKind.Webhook, "training", Guid.Empty, "POST", path));
        await (ChangeWebhook?.Invoke(request) ?? Task.CompletedTask);
        try
        {
            using var response = await _client.SendAsync(request, context.RequestAborted);
            Webhooks.Enqueue((path, response.StatusCode));
            context.Response.StatusCode = (int)response.StatusCode;
        }
        catch (HttpRequestException)
        {
            context.Response.StatusCode = 502;
        }
    }

    private async Task StoreAsync(HttpContext context)
    {
        var key = context.Request.Path.Value!["/models".Length..].TrimStart('/');
        switch (context.Request.Method)
        {
            case "PUT" when key.Length > 0 && Interlocked.Exchange(ref _holdPut, null) is { } held:
                held.SetResult();
                await Task.Delay(Timeout.Infinite, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                break;
            case "PUT" when key.Length > 0:
                using (var body = new MemoryStream())
                {
                    await context.Request.Body.CopyToAsync(body, context.RequestAborted);
                    Objects[key] = context.Request.Headers.ContainsKey("x-amz-decoded-content-length") ? Unchunk(body.ToArray()) : body.ToArray();
                }

                context.Response.Headers.ETag = "\"stored\"";
                break;
            case "GET" when Objects.TryGetValue(key, out var stored):
                context.Response.ContentLength = stored.Length;
                await context.Response.Body.WriteAsync(stored, context.RequestAborted);
                break;
            case "PUT":
                break;
            default:
                context.Response.StatusCode = 404;
                break;
        }
    }

    /// <summary>Takes the data out of S3's own chunked encoding.</summary>
    private static byte[] Unchunk(byte[] body)
    {
        using var data = new MemoryStream();
        var position = 0;
        while (position < body.Length)
        {
            var end = Array.IndexOf(body, (byte)'\n', position);
            var header = System.Text.Encoding.ASCII.GetString(body, position, end - position).TrimEnd('\r');
            var length = Convert.ToInt32(header.Split(';')[0], 16);
            if (length == 0)
            {
                break;
            }

            data.Write(body, end + 1, length);
            position = end + 1 + length + 2;
        }

        return data.ToArray();
    }

    private static byte[] MakeDataset()
    {
        using var buffer = new MemoryStream();
        using (var zip = new ZipArchive(buffer, ZipArchiveMode.Create, leaveOpen: true))
        {
            for (var i = 0; i < 3; i++)
            {
                using (var photo = zip.CreateEntry($"{i:000}.jpg", CompressionLevel.NoCompression).Open())
                {
                    photo.Write([0xFF, 0xD8, 0xFF, 0xE0, .. RandomNumberGenerator.GetBytes(20_000), 0xFF, 0xD9]);
                }

                using var caption = zip.CreateEntry($"{i:000}.txt").Open();
                caption.Write("a photo of FLRXQ"u8);
            }
        }

        return buffer.ToArray();
    }
}
