using System.Buffers;
using System.Diagnostics;
using System.Text;
using Flurrty.ImagingChild;

namespace Flurrty.UploadService.Imaging;

/// <summary>The child broke its word, died or was killed.</summary>
internal sealed class ImagingChildException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>
/// One running child and the pipes to it. Used by one thread, which also started it: the kernel ends the sandbox with the thread
/// that started it, so that thread lives as long as the child.
/// </summary>
internal sealed class ImagingChildProcess : IDisposable
{
    private const int PipeBytes = 1024 * 1024;

    // Far above what a photo of the largest permitted side can take.
    private const int MaxResultBytes = 256 * 1024 * 1024;
    private const int MaxErrorCharacters = 2000;

    private readonly Process _process;
    private readonly Stream _input;
    private readonly Stream _output;
    private readonly StringBuilder _errors = new();
    private readonly TimeProvider _time;
    private readonly byte[] _chunk = new byte[64 * 1024];

    private ImagingChildProcess(Process process, TimeProvider time)
    {
        _process = process;
        _time = time;
        _input = process.StandardInput.BaseStream;
        _output = process.StandardOutput.BaseStream;
        if (_input is System.IO.Pipes.PipeStream input && _output is System.IO.Pipes.PipeStream output)
        {
            NativeDescriptors.EnlargePipe(input.SafePipeHandle, PipeBytes);
            NativeDescriptors.EnlargePipe(output.SafePipeHandle, PipeBytes);
        }
    }

    public int ProcessId => _process.Id;

    /// <summary>Whether it died while it had nothing to do.</summary>
    public bool HasExited => _process.HasExited;

    public Version LibraryVersion { get; private set; } = new();

    public int Photos { get; private set; }

    /// <summary>What the child last said about a refusal; for the log only.</summary>
    public string LastReason { get; private set; } = "";

    public static ImagingChildProcess Start(ProcessStartInfo command, TimeSpan timeout, TimeProvider time)
    {
        NativeDescriptors.CloseAllOnExec();
        Process process;
        try
        {
            process = Process.Start(command) ?? throw new ImagingChildException("no process was started");
        }
        catch (System.ComponentModel.Win32Exception problem)
        {
            throw new ImagingChildException($"{command.FileName} cannot be started: {problem.Message}", problem);
        }

        var child = new ImagingChildProcess(process, time);
        try
        {
            child.DrainErrors();
            child.ReadHello(timeout);
            return child;
        }
        catch
        {
            child.Dispose();
            throw;
        }
    }

    /// <summary>Has one photo normalised. Blocks; after an exception the child is of no further use.</summary>
    public ImagingResult Normalize(PhotoSpool spool, ImagingOptions options)
    {
        Photos++;
        return Guarded(options.PhotoTimeout, () =>
        {
            Send(spool, options);
            return Receive();
        });
    }

    public void Dispose()
    {
        try
        {
            // The sandbox's first process takes everything inside along.
            _process.Kill();
            _process.WaitForExit();
        }
        catch (InvalidOperationException)
        {
            // Ended already.
        }

        // The process object leaves its pipes to the garbage collector.
        _input.Dispose();
        _output.Dispose();
        _process.Dispose();
    }

    private void ReadHello(TimeSpan timeout) => Guarded(timeout, () =>
    {
        Span<byte> hello = stackalloc byte[16];
        _output.ReadExactly(hello);
        if (BitConverter.ToUInt32(hello) != ImagingResponse.Hello)
        {
            throw new ImagingChildException("it did not greet");
        }

        LibraryVersion = new Version(BitConverter.ToInt32(hello[4..]), BitConverter.ToInt32(hello[8..]), BitConverter.ToInt32(hello[12..]));
        return true;
    });

    private void Send(PhotoSpool spool, ImagingOptions options)
    {
        Span<byte> header = stackalloc byte[ImagingRequest.HeaderBytes];
        new ImagingRequest(
            spool.Length, options.LongestSide, options.ThumbnailSide, options.Quality, options.ShortestSide, options.MaxPixels, options.MaxLayeredPixels).Write(header);
        _input.Write(header);
        long sent = 0;
        while (sent < spool.Length)
        {
            var read = spool.Read(_chunk, sent);
            if (read == 0)
            {
                throw new EndOfStreamException("the spool is shorter than its length");
            }

            _input.Write(_chunk, 0, read);
            sent += read;
        }

        _input.Flush();
    }

    private ImagingResult Receive()
    {
        Span<byte> header = stackalloc byte[ImagingResponse.HeaderBytes];
        _output.ReadExactly(header);
        var response = ImagingResponse.Read(header);
        if (response.Measures is not { ArePossible: true })
        {
            throw new ImagingChildException("its answer has impossible measures");
        }

        if (response.PhotoBytes < 0 || response.ThumbnailBytes < 0 || (long)response.PhotoBytes + response.ThumbnailBytes > MaxResultBytes)
        {
            throw new ImagingChildException("its answer has an impossible length");
        }

        if (response.Refusal != PhotoRefusal.None)
        {
            Span<byte> reason = stackalloc byte[Math.Min(response.PhotoBytes, ImagingResponse.MaxReasonBytes)];
            _output.ReadExactly(reason);
            LastReason = Encoding.UTF8.GetString(reason);
            return ImagingResult.Refused(Enum.IsDefined(response.Refusal) ? response.Refusal : PhotoRefusal.Unreadable);
        }

        var length = response.PhotoBytes + response.ThumbnailBytes;
        var buffer = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            _output.ReadExactly(buffer.AsSpan(0, length));
            CheckJpeg(buffer.AsSpan(0, response.PhotoBytes));
            CheckJpeg(buffer.AsSpan(response.PhotoBytes, response.ThumbnailBytes));
            return ImagingResult.Accepted(response, buffer);
        }
        catch
        {
            ArrayPool<byte>.Shared.Return(buffer);
            throw;
        }
    }

    // A child that was taken over could answer anything; at least it is a JPEG by its first and last bytes.
    private static void CheckJpeg(ReadOnlySpan<byte> bytes)
    {
        if (PhotoSignature.Sniff(bytes) != PhotoFormat.Jpeg || !bytes.EndsWith((ReadOnlySpan<byte>)[0xFF, 0xD9]))
        {
            throw new ImagingChildException("its answer is not a JPEG");
        }
    }

    private T Guarded<T>(TimeSpan timeout, Func<T> work)
    {
        var late = false;
        using var watchdog = _time.CreateTimer(
            _ =>
            {
                late = true;
                Kill();
            },
            state: null,
            timeout,
            Timeout.InfiniteTimeSpan);
        try
        {
            return work();
        }
        catch (Exception problem) when (problem is IOException or ImagingChildException or ObjectDisposedException)
        {
            var why = late ? $"no answer within {timeout.TotalSeconds:0.#} s" : problem.Message;
            throw new ImagingChildException($"{why}{Errors()}", problem);
        }
    }

    private void Kill()
    {
        try
        {
            _process.Kill();
        }
        catch (InvalidOperationException)
        {
            // Ended already.
        }
    }

    private void DrainErrors()
    {
        var reader = _process.StandardError;
        var thread = new Thread(
            () =>
            {
                try
                {
                    using var ending = reader;
                    while (reader.ReadLine() is { } line)
                    {
                        lock (_errors)
                        {
                            if (_errors.Length < MaxErrorCharacters)
                            {
                                _errors.Append("; ").Append(line.AsSpan(0, Math.Min(line.Length, 300)));
                            }
                        }
                    }
                }
                catch (Exception problem) when (problem is IOException or ObjectDisposedException)
                {
                    // The child is gone.
                }
            },
            maxStackSize: 128 * 1024)
        {
            IsBackground = true,
            Name = "imaging stderr",
        };
        thread.Start();
    }

    private string Errors()
    {
        lock (_errors)
        {
            return _errors.ToString();
        }
    }
}
