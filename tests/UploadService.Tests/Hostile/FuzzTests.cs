using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using Flurrty.UploadService.Tests.Fixtures;
using Flurrty.UploadService.Tests.Imaging;
using Xunit.Abstractions;

namespace Flurrty.UploadService.Tests.Hostile;

[Collection(UploadsCollection.Name)]
public sealed class FuzzTests(UploadsFixture uploads, ITestOutputHelper output)
{
    private const int PerForm = 20;
    private const long MostGrowth = 64L * 1024 * 1024;

    private readonly ConcurrentBag<Guid> _accounts = [];

    private static readonly HashSet<string> Codes = new(StringComparer.Ordinal)
    {
        "photo_not_an_image", "photo_format_unsupported", "photo_truncated", "photo_unreadable", "photo_too_many_pixels", "photo_too_small", "photo_animated",
    };

    /// <summary>A seeded sample; FLURRTY_MUTANTS asks for another number, FLURRTY_TESTS=full for 20000, FLURRTY_SEED for others.</summary>
    [Fact]
    public async Task Mutants_OfGoodPhotos_AreTakenOrRefusedAndNothingElse()
    {
        var full = Environment.GetEnvironmentVariable("FLURRTY_TESTS") == "full";
        var count = int.TryParse(Environment.GetEnvironmentVariable("FLURRTY_MUTANTS"), CultureInfo.InvariantCulture, out var asked) ? asked : full ? 20_000 : 280;
        var seed = int.TryParse(Environment.GetEnvironmentVariable("FLURRTY_SEED"), CultureInfo.InvariantCulture, out var given) ? given : 1;
        var good = Good();

        // A process of its own, so that its memory and descriptors are nobody else's.
        // A heap that cannot grow shows a leak as an end, and does not hide one behind garbage that nobody has collected yet.
        await using var service = await ServiceProcess.StartAsync(new Dictionary<string, string?>(uploads.Settings(), StringComparer.Ordinal)
        {
            ["DOTNET_gcServer"] = "0",
            ["DOTNET_GCHeapHardLimit"] = "0x8000000",
        });
        for (var form = 0; form < 5; form++)
        {
            _ = await SendAsync(service.Address, [.. good, .. good.Select((file, index) => Mutate(file, new Random(-1 - (form * 10) - index)))], form);
        }

        var (memory, descriptors, children) = StateOf(service.Id);

        var answers = new ConcurrentDictionary<string, int>(StringComparer.Ordinal);
        var watch = Stopwatch.StartNew();
        await Parallel.ForEachAsync(Enumerable.Range(0, count / PerForm), new ParallelOptions { MaxDegreeOfParallelism = 2 * Environment.ProcessorCount }, async (form, _) =>
        {
            var files = Enumerable.Range(form * PerForm, PerForm).Select(number => Mutate(good[number % good.Length], new Random(unchecked((seed * 1_000_003) + number)))).ToArray();
            foreach (var answer in await SendAsync(service.Address, files, form))
            {
                answers.AddOrUpdate(answer, 1, static (_, times) => times + 1);
            }
        });
        var rate = count / watch.Elapsed.TotalSeconds;
        Assert.Equal(count / PerForm * PerForm, answers.Values.Sum());
        Assert.True(answers.Count > 3 && answers.ContainsKey("taken"), string.Join(", ", answers));

        // Clean ones are taken as before, and what the mutants used is given back.
        Assert.All(await SendAsync(service.Address, good, count), answer => Assert.Equal("taken", answer));
        var ended = "";
        await Eventually.TrueAsync(() =>
        {
            var (memoryNow, descriptorsNow, childrenNow) = StateOf(service.Id);
            ended = string.Create(CultureInfo.InvariantCulture, $"{memoryNow >> 20} MB (from {memory >> 20}), {descriptorsNow} descriptors (from {descriptors}), {childrenNow} children (from {children})");
            return Task.FromResult((memoryNow <= memory + MostGrowth && descriptorsNow <= descriptors + 32 && childrenNow <= children, ended));
        });
        await WaitForRemovalsAsync();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"seed {seed}, {count} mutants at {rate:0.0} a second; {string.Join(", ", answers.OrderBy(static pair => pair.Key, StringComparer.Ordinal))}; {ended}"));
    }

    /// <summary>Killed before, the service would leave its last removals claimed, and other tests would find the objects.</summary>
    private async Task WaitForRemovalsAsync() => await Eventually.TrueAsync(
        async () =>
        {
            var left = await StoreChecks.QueryAsync(uploads.Postgres.Superuser("uploads"), "SELECT count(*) FROM scheduled_removals WHERE account_id = ANY($1)", _accounts.ToArray());
            return (left is ["0"], $"{left[0]} objects are still to be removed");
        },
        Deadline.Journey);

    private static byte[][] Good() =>
    [
        TestPhotos.Jpeg(300, 200, 40), TestPhotos.Jpeg(300, 200, 41, options: "interlace=true"), TestPhotos.Png(200, 150, 42), TestPhotos.Webp(200, 150, 43),
        TestPhotos.Heif("heic", 200, 150, 44), TestPhotos.Heif("avif", 200, 150, 45), HeifTests.Tiled("heic", 400, 300),
    ];

    /// <summary>Sends files as one form for an account of its own.</summary>
    /// <returns>Of each file, whether it was taken or the code of its problem.</returns>
    private async Task<IReadOnlyList<string>> SendAsync(Uri address, byte[][] files, int form)
    {
        var account = Guid.NewGuid();
        _accounts.Add(account);
        using var caller = uploads.As(account, address);
        var set = await caller.NewSetAsync();
        var (status, body) = await caller.AddAsync(set, [.. files.Select((file, index) => ($"{index}", file))]);
        Assert.True(status is HttpStatusCode.Created or HttpStatusCode.UnprocessableEntity, $"form {form}: {status} {body}");
        var rejected = body.GetProperty("rejected").EnumerateArray().Select(static problem => problem.Code()).ToList();
        Assert.All(rejected, code => Assert.Contains(code, Codes));
        using var deleted = await caller.DeleteAsync($"/api/photo-sets/{set}");
        Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);

        // The same file twice in a form is one photo.
        return [.. rejected, .. Enumerable.Repeat("taken", files.Length - rejected.Count)];
    }

    private static (long Memory, int Descriptors, int Children) StateOf(int process)
    {
        var resident = File.ReadAllLines($"/proc/{process}/status").First(static line => line.StartsWith("VmRSS", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var children = Directory.EnumerateDirectories($"/proc/{process}/task").Sum(static thread => ChildrenOf(thread).Split(' ', StringSplitOptions.RemoveEmptyEntries).Length);
        return (long.Parse(resident[^2], CultureInfo.InvariantCulture) * 1024, Directory.EnumerateFileSystemEntries($"/proc/{process}/fd").Count(), children);
    }

    private static string ChildrenOf(string thread)
    {
        try
        {
            return File.ReadAllText($"{thread}/children");
        }
        catch (IOException)
        {
            // The thread has ended meanwhile.
            return "";
        }
    }

    private static byte[] Mutate(byte[] file, Random random)
    {
        var mutant = file.ToArray();
        for (var change = random.Next(1, 12); change > 0; change--)
        {
            var at = random.Next(mutant.Length);
            switch (random.Next(4))
            {
                case 0:
                    mutant[at] = (byte)random.Next(256);
                    break;
                case 1:
                    mutant[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 2:
                    // Headers are where the lengths are.
                    mutant[random.Next(Math.Min(mutant.Length, 400))] = (byte)random.Next(256);
                    break;
                default:
                    var length = Math.Min(random.Next(1, 64), mutant.Length - at);
                    mutant.AsSpan(random.Next(mutant.Length - length + 1), length).CopyTo(mutant.AsSpan(at));
                    break;
            }
        }

        return random.Next(10) == 0 ? mutant[..random.Next(1, mutant.Length)] : mutant;
    }
}
