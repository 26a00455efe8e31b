using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Flurrty.TrainingService.Driving;

/// <summary>How jobs are driven: how many at once, how often looked at, and how long anything may take.</summary>
internal sealed class DrivingOptions
{
    public const string Section = "Driving";

    /// <summary>Jobs worked on at once in this process.</summary>
    [Range(1, 1024)]
    public int Parallelism { get; set; } = 32;

    /// <summary>Of these, how many may read from a provider at once.</summary>
    [Range(1, 256)]
    public int Looks { get; set; } = 8;

    /// <summary>Of these, how many may fetch and check a model at once.</summary>
    [Range(1, 64)]
    public int Collects { get; set; } = 6;

    [Range(typeof(TimeSpan), "00:00:00.05", "00:00:30")]
    public TimeSpan Poll { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a job stays with a process that stopped renewing.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>The lease around the request for a run.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:30:00")]
    public TimeSpan PostLease { get; set; } = TimeSpan.FromSeconds(90);

    /// <summary>How long the request for a run may take.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:10:00")]
    public TimeSpan PostTimeout { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>How long after that timeout a run could still appear.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan UnknownWait { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>A process that paused longer than this between writing down the request and sending it does not send it.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:01:00")]
    public TimeSpan PostGrace { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Time between the reads that look for a run of unknown outcome.</summary>
    [Range(typeof(TimeSpan), "00:00:00.05", "00:01:00")]
    public TimeSpan ReviewPause { get; set; } = TimeSpan.FromSeconds(4);

    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan ReviewTimeout { get; set; } = TimeSpan.FromHours(1);

    /// <summary>Time between looks soon after the submission.</summary>
    [Range(typeof(TimeSpan), "00:00:00.2", "00:10:00")]
    public TimeSpan LookSoon { get; set; } = TimeSpan.FromSeconds(10);

    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan LookSoonFor { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>Time between looks later on.</summary>
    [Range(typeof(TimeSpan), "00:00:00.2", "00:10:00")]
    public TimeSpan LookLater { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Time between requests for a dataset.</summary>
    [Range(typeof(TimeSpan), "00:00:00.2", "00:10:00")]
    public TimeSpan AskDatasetEvery { get; set; } = TimeSpan.FromSeconds(15);

    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan DatasetTimeout { get; set; } = TimeSpan.FromMinutes(30);

    [Range(typeof(TimeSpan), "00:00:01", "7.00:00:00")]
    public TimeSpan QueueTimeout { get; set; } = TimeSpan.FromHours(1);

    [Range(typeof(TimeSpan), "00:00:01", "7.00:00:00")]
    public TimeSpan RunTimeout { get; set; } = TimeSpan.FromHours(3);

    /// <summary>How long the provider may take to confirm that a run was stopped.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan StopTimeout { get; set; } = TimeSpan.FromMinutes(5);

    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan CollectTimeout { get; set; } = TimeSpan.FromMinutes(45);

    /// <summary>One download of an artifact.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "06:00:00")]
    public TimeSpan DownloadTimeout { get; set; } = TimeSpan.FromMinutes(15);

    /// <summary>Waits after a failure double from this.</summary>
    [Range(typeof(TimeSpan), "00:00:00.01", "00:01:00")]
    public TimeSpan FirstBackoff { get; set; } = TimeSpan.FromSeconds(1);

    [Range(typeof(TimeSpan), "00:00:00.01", "00:10:00")]
    public TimeSpan MaxBackoff { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Transient failures in a row before what leads up to the request is given up.</summary>
    [Range(1, 100)]
    public int PrepareTries { get; set; } = 8;

    /// <summary>Requests for a run that are answered with a throttle before the job fails.</summary>
    [Range(1, 1000)]
    public int RateLimitTries { get; set; } = 12;

    /// <summary>Looks that find a succeeded run without an artifact before that is believed.</summary>
    [Range(1, 100)]
    public int CollectTries { get; set; } = 7;

    /// <summary>How long credentials that are refused, or an account without money, are waited for. A provider keeps an uploaded dataset for a day.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "7.00:00:00")]
    public TimeSpan AccessTimeout { get; set; } = TimeSpan.FromHours(12);

    /// <summary>Time between tries while that is waited for.</summary>
    [Range(typeof(TimeSpan), "00:00:00.05", "01:00:00")]
    public TimeSpan AccessPause { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Attempts that a job may make by itself.</summary>
    [Range(1, 10)]
    public int MaxAttempts { get; set; } = 3;
}

internal sealed class DrivingOptionsRules : IValidateOptions<DrivingOptions>
{
    public ValidateOptionsResult Validate(string? name, DrivingOptions options)
    {
        var errors = new List<string>();
        if (options.PostLease <= options.PostTimeout)
        {
            errors.Add("Driving:PostLease must be longer than Driving:PostTimeout, or another process could take the job while its request is on the way.");
        }

        if (options.PostGrace > options.PostTimeout)
        {
            errors.Add("Driving:PostGrace must not be longer than Driving:PostTimeout.");
        }

        if (options.MaxBackoff < options.FirstBackoff)
        {
            errors.Add("Driving:MaxBackoff must not be shorter than Driving:FirstBackoff.");
        }

        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }
}
