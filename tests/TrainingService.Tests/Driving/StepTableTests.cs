using Flurrty.ServiceDefaults.Storage;
using Flurrty.TrainingService.Driving;
using Flurrty.TrainingService.Driving.Steps;
using Flurrty.TrainingService.Jobs;
using Flurrty.TrainingService.Models;
using Flurrty.TrainingService.Providers;
using Flurrty.TrainingService.Publishing;
using Flurrty.TrainingService.Webhooks;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Flurrty.TrainingService.Tests.Driving;

/// <summary>Each place where a job can stand has its step.</summary>
public sealed class StepTableTests : IDisposable
{
    private static readonly DateTimeOffset Now = new(2026, 11, 20, 12, 0, 0, TimeSpan.Zero);

    private readonly IHost _host = Build();

    public void Dispose() => _host.Dispose();

    [Theory]
    [InlineData("Accepted", null, "AcceptStep", "CancelStep")]
    [InlineData("Preparing", null, "PrepareStep", "CancelStep")]
    [InlineData("Submitting", "Intended", "UploadStep", "CancelStep")]
    [InlineData("Submitting", "Uploaded", "SubmitStep", "CancelStep")]
    [InlineData("Submitting", "Posting", "ReviewStep", "ReviewStep")]
    [InlineData("NeedsReview", "Unknown", "ReviewStep", "ReviewStep")]
    [InlineData("NeedsReview", "Running", "ResumeStep", "ResumeStep")]
    [InlineData("NeedsReview", "NotRun", "NextAttemptStep", "CancelStep")]
    [InlineData("Queued", "Running", "FollowStep", "StopStep")]
    [InlineData("Training", "Running", "FollowStep", "StopStep")]
    [InlineData("Collecting", "Succeeded", "CollectStep", "CollectStep")]
    [InlineData("Publishing", "Succeeded", "PublishStep", "PublishStep")]
    public void Step_OfEachPlace_IsDueThereAndWhenTheJobIsCanceled(string state, string? attempt, string step, string canceled)
    {
        Assert.Equal(step, StepOf(state, attempt, static _ => { }));
        Assert.Equal(canceled, StepOf(state, attempt, static job => job.CancelRequestedAt = Now));
    }

    [Fact]
    public void Step_OfARunThatTakesTooLong_IsToStopIt()
    {
        Assert.Equal("StopStep", StepOf("Training", "Running", static job => job.StateSince = Now - TimeSpan.FromDays(1)));

        // Somebody has to mend something first, and time stands still.
        Assert.Equal("FollowStep", StepOf("Training", "Running", static job =>
        {
            job.StateSince = Now - TimeSpan.FromDays(1);
            job.WaitingReason = WaitingReason.PaymentRequired;
        }));
    }

    [Theory]
    [InlineData("Accepted", "AcceptStep")]
    [InlineData("Submitting", "OtherModeStep")]
    [InlineData("Training", "OtherModeStep")]
    public void Step_OfAJobOfAnotherMode_SendsNothingOnceAProviderHasIt(string state, string step) =>
        Assert.Equal(step, StepOf(state, "Running", static job => job.ProviderMode = ProviderMode.Live));

    private string StepOf(string state, string? attempt, Action<Job> change)
    {
        var job = new Job
        {
            Id = Guid.NewGuid(),
            AccountId = Guid.NewGuid(),
            RequestedProvider = "auto",
            Provider = "replicate",
            ProviderMode = ProviderMode.Sandbox,
            Preset = "standard",
            Resolution = "512",
            State = Enum.Parse<JobState>(state),
            StateSince = Now,
        };
        change(job);
        var current = attempt is null ? null : new Attempt
        {
            Id = Guid.NewGuid(),
            AccountId = job.AccountId,
            JobId = job.Id,
            Number = 1,
            Provider = "replicate",
            State = Enum.Parse<AttemptState>(attempt),
        };
        var lease = new LeasedJob(job.Id, job.AccountId, Guid.NewGuid(), 1, CancellationToken.None);
        var context = new StepContext(lease, new JobView(job, current, Now), static _ => { });
        return _host.Services.GetRequiredService<StepTable>().For(context).GetType().Name;
    }

    /// <summary>The service without a database, a broker and anybody to call; nothing is started.</summary>
    private static IHost Build()
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Configuration["ConnectionStrings:models"] = "Endpoint=http://127.0.0.1:1;AccessKey=nobody;SecretKey=nothing;Region=us-east-1;Bucket=models";
        builder.Configuration["Installation:Id"] = Guid.NewGuid().ToString();
        builder.Configuration["Replicate:Mode"] = "sandbox";
        builder.Configuration["Replicate:BaseUrl"] = "http://127.0.0.1:1/v1";
        builder.Configuration["Replicate:ApiToken"] = "r8_nothing";
        builder.Services.AddSingleton(TimeProvider.System);
        builder.AddObjectStore("models");
        builder.AddProviders();
        builder.AddWebhooks();
        builder.AddModels();
        builder.AddPublishing();
        builder.AddDriving();
        return builder.Build();
    }
}
