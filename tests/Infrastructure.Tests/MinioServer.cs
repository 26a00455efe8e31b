using System.Globalization;

namespace Flurrty.Infrastructure.Tests;

/// <summary>s3.sh with MinIO's programs on the PATH.</summary>
internal sealed class MinioServer(MinioPrograms programs) : NativeServer("s3.sh")
{
    internal string Wanted { get; set; } = "auto";

    protected override IEnumerable<KeyValuePair<string, string>> Variables =>
    [
        new("PATH", $"{programs.Path}:{Environment.GetEnvironmentVariable("PATH")}"),
        new("FLURRTY_S3_SERVER", Wanted),
        new("FLURRTY_S3_DATA", Data),
        new("FLURRTY_S3_PORT", Port.ToString(CultureInfo.InvariantCulture)),
        new("FLURRTY_S3_USERS", "uploads:service=secret-one training:service=secret-two readiness:service=secret-three"),
        new("FLURRTY_S3_BUCKETS", "uploads=photos training=models"),
    ];

    internal override Task UseAsync()
    {
        Assert.Contains("MinIO serves 3 users", Output, StringComparison.Ordinal);
        return Task.CompletedTask;
    }
}
