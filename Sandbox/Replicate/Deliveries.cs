using Microsoft.Extensions.Options;

namespace Flurrty.Sandbox.Replicate;

/// <summary>Files that runs left behind, under tokens nobody can guess; no other credential is asked for.</summary>
internal sealed class Deliveries
{
    private readonly string _directory;

    public Deliveries(IOptions<SandboxOptions> options)
    {
        _directory = Path.Combine(options.Value.DataDirectory, "replicate", "deliveries");
        Directory.CreateDirectory(_directory);
    }

    public string PathOf(string token) => Path.Combine(_directory, token);

    public void Delete(string token) => File.Delete(PathOf(token));

    public static void Map(IEndpointRouteBuilder app)
    {
        app.MapMethods("/delivery/{token}/{name}", ["GET", "HEAD"], (string token, string name, Deliveries deliveries) => deliveries.Answer(token, name));
        app.MapMethods("/delivery/xezq/{token}/{name}", ["GET", "HEAD"], (string token, string name, Deliveries deliveries) => deliveries.Answer(token, name));
    }

    private IResult Answer(string token, string name)
    {
        string path = PathOf(token);
        if (!token.All(char.IsAsciiLetterOrDigit) || !File.Exists(path))
        {
            return Results.NotFound();
        }

        string type = Path.GetExtension(name) switch
        {
            ".tar" => "application/x-tar",
            ".png" => "image/png",
            ".webp" => "image/webp",
            ".jpg" => "image/jpeg",
            _ => "application/octet-stream",
        };
        return Results.File(Path.GetFullPath(path), type, enableRangeProcessing: true);
    }
}
