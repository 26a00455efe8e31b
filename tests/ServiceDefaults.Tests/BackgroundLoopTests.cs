using Flurrty.ServiceDefaults.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Time.Testing;

namespace Flurrty.ServiceDefaults.Tests;

public sealed class BackgroundLoopTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    private readonly FakeTimeProvider _time = new() { AutoAdvanceAmount = TimeSpan.Zero };
    private readonly FakeLogger _logger = new();

    [Fact]
    public async Task Turn_ThatFailsUnexpectedly_IsToldAndFollowedByTheNext()
    {
        using var stop = new CancellationTokenSource();
        var turns = 0;
        var loop = BackgroundLoop.RunAsync("work", _ => ++turns < 4 ? throw new InvalidCastException("odd") : stop.CancelAsync(), _time, _logger, stop.Token);
        await AdvanceUntilEndedAsync(loop);

        Assert.Equal(4, turns);
        Assert.Equal(3, _logger.Collector.GetSnapshot().Count(static record => record is { Level: LogLevel.Error, Exception: InvalidCastException }));
    }

    [Fact]
    public async Task Turn_ThatIsCanceledByItsOwnDeadline_DoesNotEndTheLoop()
    {
        using var stop = new CancellationTokenSource();
        var turns = 0;
        var loop = BackgroundLoop.RunAsync("work", _ => ++turns < 2 ? throw new TaskCanceledException() : stop.CancelAsync(), _time, _logger, stop.Token);
        await AdvanceUntilEndedAsync(loop);

        Assert.Equal(2, turns);
    }

    [Fact]
    public async Task Failure_ThatPasses_IsAWarning()
    {
        using var stop = new CancellationTokenSource();
        var turns = 0;
        var loop = BackgroundLoop.RunAsync("work", _ => ++turns < 2 ? throw new IOException("away") : stop.CancelAsync(), static problem => problem is IOException, _time, _logger, stop.Token);
        await AdvanceUntilEndedAsync(loop);

        Assert.Equal([LogLevel.Warning], _logger.Collector.GetSnapshot().Select(static record => record.Level));
    }

    [Fact]
    public async Task Stop_WhileItPauses_EndsTheLoop()
    {
        using var stop = new CancellationTokenSource();
        var failed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var loop = BackgroundLoop.RunAsync(
            "work",
            _ =>
            {
                failed.TrySetResult();
                throw new InvalidCastException();
            },
            _time,
            _logger,
            stop.Token);
        await failed.Task.WaitAsync(Deadline);
        await stop.CancelAsync();
        await loop.WaitAsync(Deadline);
    }

    private async Task AdvanceUntilEndedAsync(Task loop)
    {
        var started = System.Diagnostics.Stopwatch.StartNew();
        while (!loop.IsCompleted)
        {
            Assert.True(started.Elapsed < Deadline, "The loop did not end.");
            _time.Advance(TimeSpan.FromSeconds(10));
            await Task.Delay(10);
        }

        await loop;
    }
}
