using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Extensions.Options;

namespace Flurrty.Sandbox.Replicate;

/// <summary>Buckets per account: creating predictions, and everything else.</summary>
internal sealed class RateLimits(IOptions<SandboxOptions> options, TimeProvider time)
{
    private readonly ConcurrentDictionary<(string Account, bool Predictions, int PerMinute), Bucket> _buckets = new();

    /// <summary>Takes one request; the answer to give when there is none left, else null. Sets the headers either way.</summary>
    public Reply? Take(HttpContext context, Account account)
    {
        bool predictions = HttpMethods.IsPost(context.Request.Method) && context.Request.Path.Value!.EndsWith("/predictions", StringComparison.Ordinal);
        int perMinute = account.RequestsPerMinute ?? (predictions ? options.Value.Replicate.PredictionsPerMinute : options.Value.Replicate.RequestsPerMinute);

        // An account that is held to a few requests a minute gets no burst.
        int burst = account.RequestsPerMinute is null ? perMinute : 1;
        var bucket = _buckets.GetOrAdd((account.Username, predictions, perMinute), _ => new Bucket(burst, perMinute / 60.0, time));
        var (taken, remaining, wait) = bucket.Take();

        // The Files service is another server there and sends no such headers.
        if (!context.Request.Path.StartsWithSegments("/v1/files", StringComparison.Ordinal))
        {
            context.Response.Headers["ratelimit-remaining"] = remaining.ToString(CultureInfo.InvariantCulture);
            context.Response.Headers["ratelimit-reset"] = Math.Max(1, wait).ToString(CultureInfo.InvariantCulture);
        }

        return taken ? null : Throttled(Math.Max(1, wait));
    }

    public static Reply Throttled(int seconds) =>
        Reply.Problem(429, $"Request was throttled. Expected available in {seconds} second{(seconds == 1 ? "" : "s")}.");

    private sealed class Bucket(int burst, double perSecond, TimeProvider time)
    {
        private readonly Lock _gate = new();
        private double _left = burst;
        private long _at = time.GetTimestamp();

        public (bool Taken, int Remaining, int WaitSeconds) Take()
        {
            lock (_gate)
            {
                long now = time.GetTimestamp();
                _left = Math.Min(burst, _left + (time.GetElapsedTime(_at, now).TotalSeconds * perSecond));
                _at = now;
                if (_left < 1)
                {
                    return (false, 0, (int)Math.Ceiling((1 - _left) / perSecond));
                }

                _left -= 1;
                return (true, (int)_left, (int)Math.Ceiling((burst - _left) / perSecond));
            }
        }
    }
}
