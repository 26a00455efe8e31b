using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Flurrty.UploadService.Tests.Fixtures;

namespace Flurrty.UploadService.Tests.Hostile;

/// <summary>Requests that no honest client sends. After each, an honest one is served.</summary>
[Collection(UploadsCollection.Name)]
public sealed class HostileRequestTests(UploadsFixture uploads)
{
    private static readonly byte[] Photo = TestPhotos.Jpeg(320, 240, 910);

    public static TheoryData<string, string?> Names => new()
    {
        { "../../../etc/passwd", "passwd" },
        { "..\\..\\windows\\win.ini", "win.ini" },
        { "/", null },
        { "..", ".." },
        { "a\u0000b\u0001c\u001bd.jpg", "abcd.jpg" },
        { "line\r\nbreak.jpg", "linebreak.jpg" },
        { "photo\u202Egpj.exe", "photogpj.exe" },
        { "zero\u200Bwidth\uFEFF.jpg", "zerowidth.jpg" },
        { "<script>alert(1)</script>.jpg", "script>.jpg" },
        { "'; DROP TABLE photos; --.jpg", "'; DROP TABLE photos; --.jpg" },
        { new string('x', 500), new string('x', 200) },
        { string.Concat(Enumerable.Repeat("😀", 250)), string.Concat(Enumerable.Repeat("😀", 100)) },
        { "   ", null },
    };

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Name_OfAFile_IsShownCleanAndUsedForNothing(string sent, string? shown)
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetAsync();
        var (status, body) = await caller.AddAsync(set, Raw(Part($"filename*=UTF-8''{Uri.EscapeDataString(sent)}", "image/jpeg")));
        Assert.True(status == HttpStatusCode.Created, $"{status} {body}");
        Assert.Equal(shown, Assert.Single(body.GetProperty("photos").EnumerateArray()).GetProperty("file_name").GetString());
        var keys = (await uploads.KeysAsync()).Where(key => key.Contains($"{set:n}", StringComparison.Ordinal)).ToArray();
        Assert.Equal(2, keys.Length);
        Assert.All(keys, key => Assert.Matches("^[0-9a-f/]+(\\.thumbnail)?\\.jpg$", key));
    }

    [Theory]
    [InlineData("text/html")]
    [InlineData("image/svg+xml")]
    [InlineData("application/x-php")]
    [InlineData("image/heic")]
    [InlineData("no type at all")]
    public async Task Type_ThatAPartClaims_DoesNotMatter(string type)
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetAsync();
        var (status, body) = await caller.AddAsync(set, Raw(Part("filename=\"a.jpg\"", type)));
        Assert.True(status == HttpStatusCode.Created, $"{status} {body}");
        var (liarStatus, liar) = await caller.AddAsync(set, Raw(Part("filename=\"a.jpg\"", "image/jpeg", "<html></html>"u8.ToArray())));
        Assert.True((liarStatus, liar.Code()) == (HttpStatusCode.UnprocessableEntity, "photo_not_an_image"), $"{liarStatus} {liar}");
    }

    public static TheoryData<string, int, string> Forms => new()
    {
        { "image/jpeg", 415, "multipart_required" },
        { "multipart/mixed; boundary=b", 415, "multipart_required" },
        { "multipart/form-data", 415, "multipart_required" },
        { "multipart/form-data; boundary=", 415, "multipart_required" },
        { $"multipart/form-data; boundary={new string('b', 300)}", 415, "multipart_required" },
        { "multipart/form-data; boundary=another", 400, "multipart_malformed" },
        { "seventeen headers", 400, "multipart_malformed" },
        { "a header of 20 kB", 400, "multipart_malformed" },
        { "no disposition", 422, "photos_missing" },
        { "a form in the form", 422, "photo_not_an_image" },
        { "a hundred and one files", 422, "photo_not_an_image" },
    };

    [Theory]
    [MemberData(nameof(Forms))]
    public async Task Form_ThatIsNone_IsRefusedAndTheNextIsTaken(string kind, int expected, string code)
    {
        using var caller = uploads.As(Guid.NewGuid());
        var set = await caller.NewSetAsync();
        var (status, problem) = await caller.AddAsync(set, kind switch
        {
            "seventeen headers" => Raw(Part("filename=\"a.jpg\"", "image/jpeg" + string.Concat(Enumerable.Range(0, 17).Select(number => $"\r\nX-{number}: 1")))),
            "a header of 20 kB" => Raw(Part("filename=\"a.jpg\"", $"image/jpeg\r\nX-Long: {new string('x', 20_000)}")),
            "no disposition" => Raw([.. "--b\r\nContent-Type: image/jpeg\r\n\r\n"u8, .. Photo, .. "\r\n--b--\r\n"u8]),
            "a form in the form" => Raw(Part("filename=\"a.jpg\"", "multipart/mixed; boundary=c", "--c\r\nContent-Disposition: form-data; name=\"photos\"; filename=\"b.jpg\"\r\n\r\nx\r\n--c--\r\n"u8.ToArray())),
            "a hundred and one files" => Form.Of([.. Enumerable.Range(0, 101).Select(number => ($"{number}.jpg", "x"u8.ToArray()))]),
            _ => Raw(Part("filename=\"a.jpg\"", "image/jpeg"), kind),
        });
        Assert.True(((int)status, problem.Code()) == (expected, code), $"{status} {problem}");
        if (kind == "a hundred and one files")
        {
            Assert.Equal("too_many_photos", problem.GetProperty("rejected").EnumerateArray().Last().Code());
        }

        var (next, body) = await caller.AddAsync(set, ("good.jpg", Photo));
        Assert.True(next == HttpStatusCode.Created, $"{next} {body}");
    }

    [Theory]
    [InlineData("Content-Length too small", 400, "multipart_malformed")]
    [InlineData("Content-Length too large", 400, null)]
    [InlineData("Content-Length negative", 400, null)]
    [InlineData("two lengths", 400, null)]
    [InlineData("chunk of no size", 400, null)]
    [InlineData("honest", 201, null)]
    public async Task Length_ThatIsALie_IsTheSendersProblem(string kind, int expected, string? code)
    {
        var account = Guid.NewGuid();
        using var caller = uploads.As(account);
        var set = await caller.NewSetAsync();
        var body = Part("filename=\"a.jpg\"", "image/jpeg");
        var answer = await SendAsync(account, set, kind switch
        {
            "Content-Length too small" => $"Content-Length: {body.Length / 2}",
            "Content-Length too large" => $"Content-Length: {body.Length * 2}",
            "Content-Length negative" => "Content-Length: -5",
            "two lengths" => $"Content-Length: {body.Length}\r\nContent-Length: {body.Length - 1}",
            "chunk of no size" => "Transfer-Encoding: chunked",
            _ => $"Content-Length: {body.Length}",
        }, body);

        // Without an answer the server has closed on a client that had gone; it is no answer of 500 either way.
        Assert.True(answer.Status == expected || (expected == 400 && answer.Status == 0), $"{answer.Status} {answer.Text}");
        Assert.True(code is null || answer.Text.Contains($"\"{code}\"", StringComparison.Ordinal), answer.Text);
        var (next, look) = await caller.AddAsync(set, ("good.jpg", TestPhotos.Jpeg(320, 240, 911)));
        Assert.True(next == HttpStatusCode.Created, $"{next} {look}");
        Assert.Equal(expected == 201 ? 2 : 1, (await caller.LookAsync($"/api/photo-sets/{set}")).Body.GetProperty("photo_count").GetInt32());
    }

    [Fact]
    public async Task Sender_ThatIsTooSlow_IsSentAwayAndHoldsNobodyUp()
    {
        await using var service = uploads.Create(new Dictionary<string, string?>(StringComparer.Ordinal) { ["Uploads:ReceiveTimeout"] = "00:00:06" });
        service.StartServer();
        var address = new Uri(service.ClientOptions.BaseAddress.ToString());
        var account = Guid.NewGuid();
        using var caller = uploads.As(account, address);
        var set = await caller.NewSetAsync();
        using var client = new TcpClient();
        await client.ConnectAsync(address.Host, address.Port);
        var stream = client.GetStream();
        await stream.WriteAsync(Head(account, set, "Content-Length: 1000000"));
        await stream.WriteAsync(Part("filename=\"slow.jpg\"", "image/jpeg").AsMemory(0, 500));
        var answer = new StreamReader(stream, Encoding.UTF8).ReadToEndAsync();
        while (!answer.IsCompleted)
        {
            var (next, body) = await caller.AddAsync(set, ("good.jpg", Photo));
            Assert.True(next == HttpStatusCode.Created, $"{next} {body}");
            try
            {
                await stream.WriteAsync("x"u8.ToArray());
            }
            catch (IOException)
            {
                // It has been sent away.
                break;
            }
        }

        var text = await answer;
        Assert.StartsWith("HTTP/1.1 408 ", text, StringComparison.Ordinal);
        Assert.Contains("\"upload_too_slow\"", text, StringComparison.Ordinal);
    }

    private static byte[] Part(string file, string type, byte[]? content = null) =>
    [
        .. Encoding.UTF8.GetBytes($"--b\r\nContent-Disposition: form-data; name=\"photos\"; {file}\r\nContent-Type: {type}\r\n\r\n"), .. content ?? Photo, .. "\r\n--b--\r\n"u8,
    ];

    private static ByteArrayContent Raw(byte[] body, string type = "multipart/form-data; boundary=b")
    {
        var content = new ByteArrayContent(body);
        Assert.True(content.Headers.TryAddWithoutValidation("Content-Type", type));
        return content;
    }

    private async Task<(int Status, string Text)> SendAsync(Guid account, Guid set, string length, byte[] body)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(uploads.Address.Host, uploads.Address.Port);
        var stream = client.GetStream();
        await stream.WriteAsync(Head(account, set, length));
        try
        {
            await stream.WriteAsync(body);
            if (length == $"Content-Length: {body.Length * 2}")
            {
                client.Client.Shutdown(SocketShutdown.Send);
            }

            using var reader = new StreamReader(stream, Encoding.UTF8);
            var text = await reader.ReadToEndAsync();
            return (text.StartsWith("HTTP/1.1 ", StringComparison.Ordinal) ? int.Parse(text.AsSpan(9, 3), CultureInfo.InvariantCulture) : 0, text);
        }
        catch (IOException problem)
        {
            return (0, problem.Message);
        }
    }

    private byte[] Head(Guid account, Guid set, string length)
    {
        var path = $"/api/photo-sets/{set}/photos";
        return Encoding.ASCII.GetBytes(
            $"POST {path} HTTP/1.1\r\nHost: {uploads.Address.Authority}\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=b\r\n{uploads.Ticket(account, "POST", path)}\r\n{length}\r\n\r\n");
    }
}
