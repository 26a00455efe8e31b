using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using Flurrty.Sandbox.Faults;
using Flurrty.Sandbox.Invoices;
using Flurrty.Sandbox.Lora;
using Microsoft.Extensions.Options;

namespace Flurrty.Sandbox.Replicate;

/// <summary>
/// Runs trainings against the clock. Each step is decided from what is on disk, so a training goes on after a restart
/// as if the GPU had never noticed.
/// </summary>
internal sealed partial class TrainingEngine(
    TrainingStore trainings,
    ModelStore models,
    Deliveries deliveries,
    Datasets datasets,
    Accounts accounts,
    Webhooks webhooks,
    Invoice invoice,
    Origin origin,
    IOptions<SandboxOptions> options,
    TimeProvider time,
    ILogger<TrainingEngine> logger) : BackgroundService
{
    private const int SmallRank = 4;
    private const int SmallModules = 4;
    private static readonly TimeSpan LongestOutput = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(250);
    private readonly ConcurrentDictionary<string, Task> _running = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stopping = new();

    public void Start(string id) => _running[id] = Task.Run(() => RunAsync(id, _stopping.Token), CancellationToken.None);

    /// <summary>Ends a training early; null when it has ended already.</summary>
    public Training? Cancel(string id)
    {
        var now = time.GetUtcNow();
        var current = trainings.Find(id)!;
        if (current.Quirks.Cancel == CancelQuirk.TooLate && !current.IsTerminal)
        {
            // It ends within one pause of its loop, and the answer waits for that.
            Hurry(id);
            return null;
        }

        if (current.Quirks.Cancel == CancelQuirk.Overtaken && !current.IsTerminal)
        {
            Hurry(id);
            return current with { Status = RunStatus.Canceled, StartedAt = current.StartedAt ?? now, CompletedAt = now, PredictTime = 3e-06 };
        }

        return End(id, training => training with
        {
            Status = RunStatus.Canceled,
            StartedAt = training.StartedAt ?? now,
            CompletedAt = now,
            Reached = training.ReachedAt(now),
            PredictTime = training.StartedAt is { } started ? (now - started).TotalSeconds : 3e-06,
        });
    }

    /// <summary>Lets a training reach its end now.</summary>
    public Training? Hurry(string id)
    {
        var now = time.GetUtcNow();
        return trainings.Change(id, training => training.IsTerminal ? null
            : training.StartedAt is { } started
                ? training with { Seconds = Math.Max(0.001, (now - started).TotalSeconds) }
                : training with { StartsAt = now, Seconds = 0.001 });
    }

    /// <summary>Waits until the training has ended.</summary>
    public Task WaitAsync(string id, CancellationToken cancellationToken) => _running.TryGetValue(id, out var run) ? run.WaitAsync(cancellationToken) : Task.CompletedTask;

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await base.StopAsync(cancellationToken);
        await Task.WhenAll(_running.Values).WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public override void Dispose()
    {
        _stopping.Dispose();
        base.Dispose();
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken)
    {
        foreach (var training in trainings.All.Reverse().ToList())
        {
            // A kill between the journal and the invoice leaves a training that nobody was told of; it counts all the same.
            if (!invoice.Has(training.Id))
            {
                Invoice(training);
            }

            if (!training.IsTerminal)
            {
                Start(training.Id);
                continue;
            }

            invoice.End(training.Id, training.Status, training.PredictTime ?? 0, Cost(training), training.CompletedAt!.Value);
            if (!training.CompletedDelivered)
            {
                Completed(training);
            }
        }

        return Task.CompletedTask;
    }

    public void Invoice(Training training) => invoice.Accept(
        "replicate", "training", training.Id, training.Account, training.Model, training.Destination, training.InputFileId is { } file ? [file] : [], training.CreatedAt);

    private async Task RunAsync(string id, CancellationToken cancellationToken)
    {
        try
        {
            await StepAsync(id, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The process ends; the training does not.
        }
        catch (Exception error)
        {
            LogBroken(logger, error, id);
            End(id, training => Ended(training, RunStatus.Failed, time.GetUtcNow()) with { Error = "Internal error of the sandbox: " + error.Message });
        }
        finally
        {
            _running.TryRemove(id, out _);
        }
    }

    private async Task StepAsync(string id, CancellationToken cancellationToken)
    {
        if (!await UntilAsync(id, training => training.StartsAt, cancellationToken))
        {
            return;
        }

        var training = trainings.Find(id)!;
        if (training.Dataset is null)
        {
            if ((training.Quirks.Refuse ?? InputValidation.Check(training.Trainer.Inputs, training.Input)) is { } invalid)
            {
                Refuse(id, invalid);
                return;
            }

            Dataset dataset;
            try
            {
                dataset = Regex(training) is { } unmatched ? new Dataset { Error = unmatched } : await datasets.InspectAsync(training, cancellationToken);
            }
            catch (InputUnavailableException error)
            {
                Refuse(id, error.Message);
                return;
            }

            var began = trainings.Change(id, current => current.IsTerminal ? null : current with
            {
                Status = RunStatus.Processing,
                StartedAt = time.GetUtcNow(),
                Dataset = dataset,
            });
            if (began is null)
            {
                return;
            }

            training = began;
            Notify(training, WebhookEvent.Start);
        }

        double failAt = training.Dataset!.Error is not null ? TrainingLog.Extracted + 0.02 : training.Quirks.Fail is null ? 1 : training.Quirks.FailAt ?? 0.5;
        if (!await UntilAsync(id, current => current.StartedAt!.Value + TimeSpan.FromSeconds(current.Seconds * failAt), cancellationToken))
        {
            return;
        }

        if ((training.Dataset.Error ?? training.Quirks.Fail) is { } failure)
        {
            var now = time.GetUtcNow();
            End(id, current => Ended(current, RunStatus.Failed, now) with { Error = failure, Reached = failAt });
            return;
        }

        await SucceedAsync(id, cancellationToken);
    }

    private async Task SucceedAsync(string id, CancellationToken cancellationToken)
    {
        var training = trainings.Find(id)!;
        string path = deliveries.PathOf(training.DeliveryToken!);
        await Archive(training).WriteAsync(path, training.Quirks.Archive, training.Quirks.Lora, time.GetUtcNow(), cancellationToken);
        models.AddVersion(new ModelVersion
        {
            Id = training.NewVersion,
            Number = 0,
            Model = training.Destination,
            CreatedAt = time.GetUtcNow(),
            TrainingId = id,
        });
        if (Wants(training, WebhookEvent.Output) && webhooks.MayUpdate(id))
        {
            var early = TrainingWire.Render(training, origin.Of(training.Origin), TrainingForm.Full, time.GetUtcNow());
            early["output"] = TrainingWire.OutputOf(training, origin.Of(training.Origin));

            // The runner sends this one before it goes on to the end.
            var sent = SendAsync(training, WebhookEvent.Output, Wire.NewMessageId(), Wire.Bytes(early));
            await Task.WhenAny(sent, Task.Delay(LongestOutput, time, cancellationToken));
        }

        var now = time.GetUtcNow();
        if (End(id, current => Ended(current, RunStatus.Succeeded, now) with { Reached = 1 }) is null)
        {
            // It was canceled while the weights were written.
            models.DeleteVersion(training.NewVersion);
            deliveries.Delete(training.DeliveryToken!);
        }
    }

    private WeightsArchive Archive(Training training)
    {
        var chosen = Layers(training) ?? FluxModules.All;
        bool full = options.Value.Lora.Size == LoraSize.Full;
        IReadOnlyList<FluxModule> modules = full ? [.. chosen] : chosen.Count == FluxModules.All.Count ? FluxModules.Few : [.. chosen.Take(SmallModules)];
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["format"] = "pt",
            ["name"] = "sandbox-no-op-lora",
            ["sandbox"] = "Written by a sandbox. It loads like any FLUX.1-dev LoRA and changes nothing: every lora_B is zero.",
            ["ss_base_model_version"] = "flux1",
            ["training_id"] = training.Id,
        };
        var lora = new NoOpLora(modules, full ? TrainingLog.Rank(training) : SmallRank, (int)(training.Number % int.MaxValue), metadata);
        return new WeightsArchive(lora, TrainingLog.Config(training) + "\n", TrainingLog.Captions(training, training.Dataset!));
    }

    private static string? Regex(Training training) => Layers(training) is { Count: 0 }
        ? $"The regex '{training.Input.Text("layers_to_optimize_regex")}' didn't match any layers. These layers can be optimized:\n{string.Join('\n', FluxModules.All.Select(module => module.Name))}"
        : null;

    private static List<FluxModule>? Layers(Training training)
    {
        if (training.Input.Text("layers_to_optimize_regex") is not { Length: > 0 } pattern)
        {
            return null;
        }

        try
        {
            var regex = new Regex(pattern, RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1));
            return [.. FluxModules.All.Where(module => regex.IsMatch(module.Name))];
        }
        catch (Exception error) when (error is ArgumentException or RegexMatchTimeoutException)
        {
            return [];
        }
    }

    /// <summary>Waits for a moment of a training; false when it has ended before.</summary>
    private async Task<bool> UntilAsync(string id, Func<Training, DateTimeOffset> moment, CancellationToken cancellationToken)
    {
        int redraws = 0;
        while (true)
        {
            var training = trainings.Find(id)!;
            if (training.IsTerminal)
            {
                return false;
            }

            var now = time.GetUtcNow();
            var left = moment(training) - now;
            if (left <= TimeSpan.Zero)
            {
                return true;
            }

            if (training.Dataset is not null && Wants(training, WebhookEvent.Logs) && webhooks.MayUpdate(id) && (int)(training.ReachedAt(now) * 200) is var drawn && drawn > redraws)
            {
                redraws = drawn;
                Notify(training, WebhookEvent.Logs);
            }

            await Task.Delay(left < LongestPause ? left : LongestPause, time, cancellationToken);
        }
    }

    /// <summary>Ends a run that never started: nothing is billed and there are no metrics.</summary>
    private void Refuse(string id, string error)
    {
        var now = time.GetUtcNow();
        End(id, training => training with { Status = RunStatus.Failed, Error = error, StartedAt = now, CompletedAt = now, Reached = 0 });
    }

    private static Training Ended(Training training, string status, DateTimeOffset now) => training with
    {
        Status = status,
        StartedAt = training.StartedAt ?? now,
        CompletedAt = now,
        Reached = training.ReachedAt(now),
        PredictTime = training.StartedAt is { } started ? (now - started).TotalSeconds : 0,
    };

    private Training? End(string id, Func<Training, Training> change)
    {
        var ended = trainings.Change(id, training =>
        {
            if (training.IsTerminal)
            {
                return null;
            }

            // Whoever sees the end finds it on the invoice.
            var last = change(training) with { CompletedDelivered = !Wants(training, WebhookEvent.Completed) };
            invoice.End(id, last.Status, last.PredictTime ?? 0, Cost(last), last.CompletedAt!.Value);
            accounts.Charge(last.Account, Cost(last));
            return last;
        });
        if (ended is { CompletedDelivered: false })
        {
            Completed(ended);
        }

        return ended;
    }

    private static double Cost(Training training) => (training.PredictTime ?? 0) * Hardware.PerSecond(Hardware.H100);

    private static bool Wants(Training training, string webhookEvent) =>
        training.Webhook is not null && (training.WebhookEvents ?? WebhookEvent.Default).Contains(webhookEvent);

    private void Notify(Training training, string webhookEvent)
    {
        if (Wants(training, webhookEvent))
        {
            _ = SendAsync(training, webhookEvent, Wire.NewMessageId(), TrainingWire.Bytes(training, origin.Of(training.Origin), TrainingForm.Full, time.GetUtcNow()));
        }
    }

    private void Completed(Training training)
    {
        byte[] body = TrainingWire.Bytes(training, origin.Of(training.Origin), TrainingForm.Full, time.GetUtcNow());
        _ = SendAsync(training, WebhookEvent.Completed, training.CompletedMessageId, body);
    }

    private async Task SendAsync(Training training, string webhookEvent, string messageId, byte[] body)
    {
        var message = new WebhookMessage(messageId, training.Id, training.Account, training.Destination, webhookEvent, new Uri(training.Webhook!), body);
        try
        {
            await webhooks.SendAsync(message);
            if (webhookEvent == WebhookEvent.Completed)
            {
                trainings.Change(training.Id, current => current with { CompletedDelivered = true });
            }
        }
        catch (OperationCanceledException)
        {
            // The process ends; the webhook is sent again by the next one.
        }
        catch (Exception error)
        {
            LogWebhook(logger, error, training.Id);
        }
    }

    [LoggerMessage(EventId = 10, Level = LogLevel.Error, Message = "The training {TrainingId} failed inside the sandbox")]
    private static partial void LogBroken(ILogger logger, Exception error, string trainingId);

    [LoggerMessage(EventId = 11, Level = LogLevel.Error, Message = "A webhook of training {TrainingId} failed inside the sandbox")]
    private static partial void LogWebhook(ILogger logger, Exception error, string trainingId);
}
