using System.Text.Json;

namespace Flurrty.Infrastructure.Tests;

/// <summary>
/// Programs of the names <c>minio</c> and <c>mc</c> that write down how they were called and store nothing: they show which server s3.sh chooses and
/// what it asks of it, not that MinIO does it.
/// </summary>
internal sealed class MinioPrograms : IDisposable
{
    private const string Server = """
        #!/usr/bin/python3
        import json, os, socket, sys
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "calls"), "a") as calls:
            calls.write(json.dumps({"program": "minio", "arguments": sys.argv[1:], "input": "", "environment": dict(os.environ)}) + "\n")
        host, port = sys.argv[sys.argv.index("--address") + 1].split(":")
        with socket.create_server((host, int(port))) as listener:
            while True:
                listener.accept()[0].close()
        """;

    // Without "admin" it is asked for its version only.
    private const string Client = """
        #!/usr/bin/python3
        import json, os, sys
        name = os.path.basename(sys.argv[0])
        if "admin" not in sys.argv:
            print(name + " version RELEASE.2025-08-13T08-35-41Z (commit-id=0)")
            sys.exit(0)
        text = sys.stdin.read()
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "calls"), "a") as calls:
            calls.write(json.dumps({"program": name, "arguments": sys.argv[1:], "input": text, "environment": dict(os.environ)}) + "\n")
        answer = os.path.join(os.path.dirname(os.path.abspath(__file__)), "refuse")
        if os.path.exists(answer) and open(answer).read().split("|")[0] in " ".join(sys.argv):
            print("mc: <ERROR> " + open(answer).read().split("|")[1])
            sys.exit(1)
        """;

    private const string MidnightCommander = """
        #!/bin/sh
        echo "GNU Midnight Commander 4.8.29"
        """;

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("flurrty-test-minio-");

    internal MinioPrograms(string client = "mc")
    {
        Write("minio", Server);
        foreach (var name in (string[])["mc", "mcli"])
        {
            Write(name, name == client ? Client : MidnightCommander);
        }
    }

    internal string Path => _directory.FullName;

    internal IReadOnlyList<Call> Calls => File.Exists(At("calls"))
        ? [.. File.ReadAllLines(At("calls")).Select(line => JsonSerializer.Deserialize<Call>(line, JsonSerializerOptions.Web)!)]
        : [];

    /// <summary>Lets the client end with 1 where its command line holds a text.</summary>
    internal void Refuse(string what, string why) => File.WriteAllText(At("refuse"), $"{what}|{why}");

    public void Dispose() => _directory.Delete(recursive: true);

    private void Write(string name, string text)
    {
        File.WriteAllText(At(name), text + "\n");
        File.SetUnixFileMode(At(name), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    private string At(string name) => System.IO.Path.Combine(Path, name);

    internal sealed record Call(string Program, IReadOnlyList<string> Arguments, string Input, IReadOnlyDictionary<string, string> Environment);
}
