using System.Text;

namespace Flurrty.Sandbox.Journal;

/// <summary>A file of lines. A line that <see cref="Append"/> returned for is on the disk.</summary>
internal sealed class AppendOnlyFile : IDisposable
{
    private readonly FileStream _file;

    private AppendOnlyFile(FileStream file) => _file = file;

    /// <summary>Opens or creates the file and hands every whole line to <paramref name="read"/>.</summary>
    public static AppendOnlyFile Open(string path, Action<string> read)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        try
        {
            long whole = EndOfLastLine(file);
            if (whole < file.Length)
            {
                // A process that was killed while it wrote leaves half a line, for which nobody got an answer.
                file.SetLength(whole);
                file.Flush(flushToDisk: true);
            }

            file.Position = 0;
            using var reader = new StreamReader(file, Encoding.UTF8, detectEncodingFromByteOrderMarks: false, bufferSize: 1 << 16, leaveOpen: true);
            while (reader.ReadLine() is { } line)
            {
                if (line.Length > 0)
                {
                    read(line);
                }
            }

            file.Position = file.Length;
            return new AppendOnlyFile(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Callers take turns: this type does not lock.</summary>
    public void Append(ReadOnlySpan<byte> line)
    {
        byte[] bytes = new byte[line.Length + 1];
        line.CopyTo(bytes);
        bytes[^1] = (byte)'\n';
        _file.Write(bytes);
        _file.Flush(flushToDisk: true);
    }

    public void Dispose() => _file.Dispose();

    private static long EndOfLastLine(FileStream file)
    {
        byte[] buffer = new byte[1 << 16];
        long end = file.Length;
        while (end > 0)
        {
            int length = (int)Math.Min(buffer.Length, end);
            file.Position = end - length;
            file.ReadExactly(buffer, 0, length);
            int newline = buffer.AsSpan(0, length).LastIndexOf((byte)'\n');
            if (newline >= 0)
            {
                return end - length + newline + 1;
            }

            end -= length;
        }

        return 0;
    }
}
