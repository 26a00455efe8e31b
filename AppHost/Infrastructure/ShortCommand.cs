using System.ComponentModel;
using System.Diagnostics;

namespace Flurrty.AppHost.Infrastructure;

/// <summary>A program that is asked something before the topology starts, and answers soon.</summary>
internal static class ShortCommand
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Runs it and gives its words; null where it is not there, or has not ended in time.</summary>
    public static Answer? Ask(string program, params IEnumerable<string> arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
            var output = process.StandardOutput.ReadToEndAsync();
            var errors = process.StandardError.ReadToEndAsync();
            if (!process.WaitForExit(Patience))
            {
                process.Kill(entireProcessTree: true);
                return null;
            }

            return new Answer(process.ExitCode, output.GetAwaiter().GetResult().Trim(), errors.GetAwaiter().GetResult().Trim());
        }
        catch (Win32Exception)
        {
            return null;
        }
    }

    internal sealed record Answer(int ExitCode, string Output, string Errors);
}
