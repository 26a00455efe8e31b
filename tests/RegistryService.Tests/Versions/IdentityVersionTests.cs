using Flurrty.RegistryService.Versions;

namespace Flurrty.RegistryService.Tests.Versions;

public sealed class IdentityVersionTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch.AddYears(56);
    private static readonly TimeSpan Resend = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Ask = TimeSpan.FromSeconds(60);
    private static readonly TrainedModel Model = new(89_745_224, new string('a', 64), Now);

    [Fact]
    public void Begin_NewVersion_IsPendingAndLookedAtSoon()
    {
        var version = New();
        Assert.Equal(VersionStatus.Pending, version.Status);
        Assert.Equal(Now + Resend, version.NextLookAt);
        Assert.Equal(["pending"], HistoryOf(version));
    }

    [Fact]
    public void Apply_ReportsInOrder_PassThroughEveryState()
    {
        var version = New();
        Assert.True(Take(version, Report(1, VersionStatus.Training) with { Stage = "preparing", Progress = 10, EstimatedCompletion = Now.AddMinutes(5) }));
        Assert.Equal((VersionStatus.Training, "preparing", 10, Now.AddMinutes(5)), (version.Status, version.Stage, version.Progress, version.EstimatedCompletion));
        Assert.Equal(Now + Ask, version.NextLookAt);
        Assert.True(Take(version, Report(2, VersionStatus.Training) with { Stage = "training", Progress = 60, Provider = "replicate" }));
        Assert.True(Take(version, Report(3, VersionStatus.Ready) with { Stage = "succeeded", Model = Model }));
        Assert.Equal((VersionStatus.Ready, 100, Model.Sha256, "replicate"), (version.Status, version.Progress, version.ModelSha256, version.TrainedBy));
        Assert.Null(version.NextLookAt);
        Assert.Null(version.EstimatedCompletion);
        Assert.Equal(["pending", "training", "ready"], HistoryOf(version));
        Assert.Equal([1, 2, 3], version.History.Select(change => change.Number));
    }

    [Fact]
    public void Apply_OlderOrRepeatedReport_ChangesNothingButCountsAsHeard()
    {
        var version = New();
        Take(version, Report(5, VersionStatus.Training) with { Stage = "training", Progress = 60 });
        Assert.False(version.Apply(Report(4, VersionStatus.Failed) with { Failure = new TrainingFailure("network", "x", Retryable: true) }, Now.AddSeconds(9), Ask));
        Assert.False(version.Apply(Report(5, VersionStatus.Training) with { Progress = 1 }, Now.AddSeconds(9), Ask));
        Assert.Equal((VersionStatus.Training, 60), (version.Status, version.Progress));
        Assert.Equal(Now.AddSeconds(9) + Ask, version.NextLookAt);
    }

    [Theory]
    [InlineData("ready")]
    [InlineData("failed")]
    [InlineData("canceled")]
    public void Apply_EndThatOvertookEverything_StillPassesThroughTraining(string name)
    {
        var end = VersionStates.FromName(name);
        var version = New();
        Assert.True(Take(version, End(9, end)));
        Assert.Equal(end, version.Status);
        Assert.Equal(["pending", "training", end.ToName()], HistoryOf(version));
    }

    [Theory]
    [InlineData("ready")]
    [InlineData("failed")]
    [InlineData("canceled")]
    public void Apply_AnythingAfterTheEnd_ChangesNothing(string name)
    {
        var end = VersionStates.FromName(name);
        foreach (var later in Enum.GetValues<VersionStatus>().Where(status => status != VersionStatus.Pending))
        {
            var version = New();
            Take(version, End(2, end));
            Assert.False(Take(version, End(3, later)));
            Assert.Equal(end, version.Status);
            Assert.Null(version.NextLookAt);
        }
    }

    [Fact]
    public void Apply_SuccessWithoutAModel_IsNotBelieved()
    {
        var version = New();
        Assert.False(Take(version, Report(2, VersionStatus.Ready)));
        Assert.Equal(VersionStatus.Pending, version.Status);
        Assert.NotNull(version.NextLookAt);
        Assert.True(Take(version, End(2, VersionStatus.Ready)));
    }

    [Fact]
    public void Apply_TimesWithAnOffset_AreKeptInUtc()
    {
        var version = New();
        var local = new DateTimeOffset(2026, 1, 1, 12, 0, 0, TimeSpan.FromHours(2));
        Take(version, Report(1, VersionStatus.Training) with { EstimatedCompletion = local });
        Assert.Equal(TimeSpan.Zero, version.EstimatedCompletion!.Value.Offset);
        Take(version, Report(2, VersionStatus.Ready) with { Model = Model with { TrainedAt = local } });
        Assert.Equal(TimeSpan.Zero, version.TrainedAt!.Value.Offset);
    }

    [Fact]
    public void MayMove_EveryPair_IsWhatTheDesignSays()
    {
        (VersionStatus, VersionStatus)[] allowed =
        [
            (VersionStatus.Pending, VersionStatus.Training),
            (VersionStatus.Training, VersionStatus.Training),
            (VersionStatus.Training, VersionStatus.Ready),
            (VersionStatus.Training, VersionStatus.Failed),
            (VersionStatus.Training, VersionStatus.Canceled),
        ];
        var all = Enum.GetValues<VersionStatus>().SelectMany(from => Enum.GetValues<VersionStatus>().Select(to => (from, to)));
        Assert.Equal(allowed, all.Where(move => VersionStates.MayMove(move.from, move.to)));
    }

    private static IdentityVersion New()
    {
        var version = new IdentityVersion
        {
            Id = Guid.CreateVersion7(),
            ModelId = "dad",
            Provider = "auto",
            Preset = "standard",
            Resolution = "512",
            TriggerWord = "dad",
            PhotoCount = 12,
        };
        version.Begin(Now, Resend);
        return version;
    }

    private static bool Take(IdentityVersion version, TrainingReport report) => version.Apply(report, Now, Ask);

    private static TrainingReport Report(long revision, VersionStatus status) => new(Guid.Empty, revision, status);

    private static TrainingReport End(long revision, VersionStatus status) => Report(revision, status) with
    {
        Model = status == VersionStatus.Ready ? Model : null,
        Failure = status == VersionStatus.Failed ? new TrainingFailure("payment", "provider_payment_required", Retryable: false) : null,
    };

    private static IEnumerable<string> HistoryOf(IdentityVersion version) => version.History.Select(change => change.To.ToName());
}
