using System.Text.Json;

namespace Flurrty.Infrastructure.Tests;

/// <summary>How s3.sh chooses between Swift and MinIO, and how it drives the latter, with programs that only write down their calls.</summary>
public sealed class MinioTests : NativeServerRules, IDisposable
{
    // EX_DATAERR of sysexits.h, by which the AppHost tells such data from a failure.
    private const int DataIsNotOurs = 65;

    private readonly MinioPrograms _programs = new();

    protected override string RequiredVariable => "FLURRTY_S3_USERS";

    internal override NativeServer Create() => new MinioServer(_programs);

    public void Dispose() => _programs.Dispose();

    [Fact]
    public async Task Start_NewDirectory_ServesWithMinioAndAUserForEachBucket()
    {
        await using var server = new MinioServer(_programs);
        await server.StartAsync();

        var minio = Assert.Single(_programs.Calls, call => call.Program == "minio");
        Assert.Equal(["server", "--quiet", "--address", $"127.0.0.1:{server.Port}", Path.Combine(server.Data, "minio")], minio.Arguments);
        Assert.Equal(48, minio.Environment["MINIO_ROOT_PASSWORD"].Length);

        var added = _programs.Calls.Where(call => call.Arguments.Contains("add")).Select(call => call.Input);
        Assert.Equal(["uploads:service\nsecret-one\n", "training:service\nsecret-two\n", "readiness:service\nsecret-three\n"], added);
        foreach (var (account, bucket) in ((string, string)[])[("uploads", "photos"), ("training", "models"), ("readiness", "readiness")])
        {
            var policy = Assert.Single(_programs.Calls, call => call.Arguments.Contains("create") && call.Arguments.Contains(account)).Arguments[^1];
            using var text = JsonDocument.Parse(await File.ReadAllTextAsync(policy));
            var statement = Assert.Single(text.RootElement.GetProperty("Statement").EnumerateArray());
            Assert.Equal([$"arn:aws:s3:::{bucket}", $"arn:aws:s3:::{bucket}/*"], statement.GetProperty("Resource").EnumerateArray().Select(resource => resource.GetString()));
            Assert.Contains(_programs.Calls, call => call.Arguments.TakeLast(7).SequenceEqual(["admin", "policy", "attach", "flurrty", account, "--user", $"{account}:service"]));
        }
    }

    [Fact]
    public async Task Start_Always_TellsNoSecretToACommandLineOrTheLog()
    {
        await using var server = new MinioServer(_programs);
        await server.StartAsync();

        var root = (await File.ReadAllTextAsync(Path.Combine(server.Data, "root"))).Trim();
        Assert.Contains(_programs.Calls, call => call.Environment.GetValueOrDefault("MC_HOST_flurrty") == $"http://flurrty-root:{root}@127.0.0.1:{server.Port}");
        foreach (var secret in (string[])[root, "secret-one", "secret-two", "secret-three"])
        {
            Assert.DoesNotContain(_programs.Calls, call => call.Arguments.Any(argument => argument.Contains(secret, StringComparison.Ordinal)));
            Assert.DoesNotContain(secret, server.Output, StringComparison.Ordinal);
        }

        Assert.DoesNotContain(_programs.Calls, call => call.Environment.ContainsKey("FLURRTY_S3_USERS"));
    }

    [Fact]
    public async Task Start_DirectoryOfSwift_IsServedBySwiftStill()
    {
        await using var server = new S3Server();
        await server.StartAsync();
        using (var before = server.Connect("uploads:service", "secret-one"))
        {
            await S3Server.PutAsync(before, "probe", "kept", "value");
        }

        await server.StopAsync();
        (server.Wanted, server.Programs) = ("auto", _programs.Path);
        await server.StartAsync();

        using var after = server.Connect("uploads:service", "secret-one");
        Assert.Equal("value", await S3Server.GetAsync(after, "probe", "kept"));
        Assert.Empty(_programs.Calls);
    }

    [Fact]
    public async Task Start_DirectoryOfMinio_IsNotGivenToSwift()
    {
        await using var server = new MinioServer(_programs) { Wanted = "minio" };
        await server.StartAsync();
        await server.StopAsync();

        server.Wanted = "swift";
        Assert.Equal(DataIsNotOurs, await server.RunToEndAsync());
        Assert.Contains("holds the data of minio", server.Output, StringComparison.Ordinal);

        server.Wanted = "auto";
        await server.StartAsync();
        Assert.Equal(2, _programs.Calls.Count(call => call.Program == "minio"));
    }

    [Fact]
    public async Task Start_MinioForADirectoryOfSwift_IsRefused()
    {
        await using var server = new S3Server();
        await server.StartAsync();
        await server.StopAsync();

        (server.Wanted, server.Programs) = ("minio", _programs.Path);
        Assert.Equal(DataIsNotOurs, await server.RunToEndAsync());

        Assert.Contains("holds the data of swift", server.Output, StringComparison.Ordinal);
        Assert.Empty(_programs.Calls);
    }

    [Fact]
    public async Task Start_ClientUnderItsOtherName_IsFound()
    {
        using var programs = new MinioPrograms(client: "mcli");
        await using var server = new MinioServer(programs);
        await server.StartAsync();

        Assert.Contains(programs.Calls, call => call.Program == "mcli");
    }

    [Fact]
    public async Task Start_OnlyMidnightCommanderOfThatName_IsSaidAndSwiftServes()
    {
        using var programs = new MinioPrograms(client: "none");
        await using var server = new S3Server { Wanted = "auto", Programs = programs.Path };
        await server.StartAsync();
        Assert.Contains("its client mc is not", server.Output, StringComparison.Ordinal);
        Assert.Empty(programs.Calls);

        await using var refused = new MinioServer(programs) { Wanted = "minio" };
        Assert.Equal(1, await refused.RunToEndAsync());
        Assert.Contains("MinIO's client 'mc' was not found", refused.Output, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(refused.Data, "minio")));
    }

    [Fact]
    public async Task Start_PolicyAttachedBefore_IsNoFailure()
    {
        _programs.Refuse("attach", "The specified policy change is already in effect.");
        await using var server = new MinioServer(_programs);
        await server.StartAsync();
    }

    [Fact]
    public async Task Start_UserRefused_EndsWithTheReason()
    {
        _programs.Refuse("user add", "The disk is full.");
        await using var server = new MinioServer(_programs);

        Assert.Equal(1, await server.RunToEndAsync());

        Assert.Contains("MinIO refused the user uploads:service: mc: <ERROR> The disk is full.", server.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_UnknownServer_EndsWithASentence()
    {
        await using var server = new MinioServer(_programs) { Wanted = "ceph" };

        Assert.Equal(1, await server.RunToEndAsync());

        Assert.Contains("FLURRTY_S3_SERVER must be auto, minio or swift, not 'ceph'", server.Output, StringComparison.Ordinal);
    }
}
