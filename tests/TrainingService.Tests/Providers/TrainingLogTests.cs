using Flurrty.TrainingService.Providers.Replicate;

namespace Flurrty.TrainingService.Tests.Providers;

public sealed class TrainingLogTests
{
    private const string Start = """
        2024-09-10T05:10:35Z | INFO  | [ Initiating ] chunk_size=150M dest=/src/FLUX.1-dev url=https://weights
        2024-09-10T05:11:01Z | INFO  | [ Complete ] dest=/src/FLUX.1-dev size="34 GB" total_elapsed=26.188s
        Extracted 5 files from zip to input_images
        # Running job: flux_train_replicate
        Caching latents to disk: 100%|██████████| 5/5 [00:01<00:00,  3.32it/s]

        """;

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData(Start)]
    [InlineData("flux_train_replicate:  12%|█▏        | 120/0 [01:23<10:07,  1.45it/s]")]
    [InlineData("flux_train_replicate:  12%|█▏        | 99999999999999999999/1000 [01:23<10:07,  1.45it/s]")]
    public void Log_BeforeTraining_HasNoProgress(string? log) => Assert.Null(TrainingLog.Parse(log));

    [Fact]
    public void Log_WithRedrawnBars_GivesTheNewest()
    {
        var log = Start
            + "flux_train_replicate:   0%|          | 0/1000 [00:00<?, ?it/s]\r"
            + "flux_train_replicate:  12%|█▏        | 120/1000 [01:23<10:07,  1.45it/s, lr: 4.0e-04 loss: 3.456e-01]\r"
            + "flux_train_replicate:  13%|█▎        | 130/1000 [01:30<1:02:03,  1.44it/s, lr: 4.0e-04 loss: 3.321e-01]\r"
            + "Saving a thing\n";

        var progress = TrainingLog.Parse(log);

        Assert.NotNull(progress);
        Assert.Equal(130, progress.Step);
        Assert.Equal(1000, progress.Steps);
        Assert.Equal(new TimeSpan(1, 2, 3), progress.Remaining);
        Assert.Equal("1.44it/s", progress.Rate);
        Assert.Equal("3.321e-01", progress.Loss);
    }

    [Fact]
    public void Log_WithoutRate_HasNoRemainingTime()
    {
        var progress = TrainingLog.Parse("flux_train_replicate:   0%|          | 0/1000 [00:00<?, ?it/s]");

        Assert.NotNull(progress);
        Assert.Null(progress.Remaining);
        Assert.Null(progress.Loss);
    }

    [Fact]
    public void Log_WithControlSequencesAndBlanksForReturns_IsReadAllTheSame()
    {
        var progress = TrainingLog.Parse(
            "\u001b[32mflux_train_replicate:   5%|▌         | 50/1000 [00:30<10:00,  1.5it/s]\u001b[0m flux_train_replicate:  \u001b[1m6%|▌         | 60/1000 [00:36<09:54,  1.5it/s]\u001b[0m");

        Assert.Equal(60, progress?.Step);
    }

    [Fact]
    public void Log_OfManyMegabytes_IsReadFromItsEnd()
    {
        var log = new string('x', 5_000_000) + "\rflux_train_replicate:  50%|█████     | 500/1000 [05:00<05:00,  1.6it/s]\r" + new string('y', 100_000);

        Assert.Equal(500, TrainingLog.Parse(log)?.Step);
    }
}
