using System.IO.Compression;
using System.Text;

namespace Flurrty.Sandbox.Tests.Support;

internal static class Zips
{
    public static readonly byte[] Jpeg = [0xff, 0xd8, 0xff, 0xe0, .. new byte[500]];

    public static byte[] Photos(int count) => Of([.. Enumerable.Range(1, count).Select(number => ($"photo{number}.jpg", Jpeg))]);

    public static byte[] Of(params (string Name, byte[] Content)[] entries)
    {
        var buffer = new MemoryStream();
        using (var zip = new ZipArchive(buffer, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var (name, content) in entries)
            {
                using var entry = zip.CreateEntry(name).Open();
                entry.Write(content);
            }
        }

        return buffer.ToArray();
    }

    public static byte[] Text(string text) => Encoding.UTF8.GetBytes(text);
}
