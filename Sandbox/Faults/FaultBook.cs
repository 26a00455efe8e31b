using System.Collections.Concurrent;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Flurrty.Sandbox.Faults;

/// <summary>A request that a rule has parked.</summary>
internal sealed class Held(string method, string path, FaultWhen when, DateTimeOffset since)
{
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public string Method => method;

    public string Path => path;

    public FaultWhen When => when;

    public DateTimeOffset Since => since;

    public bool SenderGone { get; set; }

    public Task Released => _released.Task;

    public void Release() => _released.TrySetResult();
}

/// <summary>A rule and what became of it.</summary>
internal sealed class Fault(string id, FaultRule rule)
{
    private readonly Regex? _path = rule.Path is null ? null : FaultRule.Wildcards(rule.Path);
    private readonly Regex? _destination = rule.Destination is null ? null : FaultRule.Wildcards(rule.Destination);

    public string Id => id;

    public FaultRule Rule => rule;

    public int Seen { get; private set; }

    public int Hits { get; private set; }

    public ConcurrentDictionary<Held, byte> Holding { get; } = new();

    public bool MatchesRequest(string method, string path, string? body) =>
        rule.On == FaultPoint.Request
        && (rule.Method is null || string.Equals(rule.Method, method, StringComparison.OrdinalIgnoreCase))
        && (_path is null || _path.IsMatch(path))
        && (rule.BodyContains is null || body is not null && body.Contains(rule.BodyContains, StringComparison.Ordinal));

    public bool MatchesTraining(string destination) => rule.On == FaultPoint.Training && (_destination is null || _destination.IsMatch(destination));

    public bool MatchesWebhook(string destination, string webhookEvent) =>
        rule.On == FaultPoint.Webhook
        && (_destination is null || _destination.IsMatch(destination))
        && (rule.Event is null || rule.Event == webhookEvent);

    /// <summary>Counts a match; whether the rule acts on it. The caller holds the book's lock.</summary>
    public bool Count(bool free)
    {
        Seen++;
        bool applies = free && Seen >= rule.Nth && (rule.Count == 0 || Hits < rule.Count);
        if (applies)
        {
            Hits++;
        }

        return applies;
    }
}

/// <summary>The rules in force. They are forgotten at a restart; what they did to a training is not.</summary>
internal sealed class FaultBook
{
    private readonly Lock _gate = new();
    private readonly List<Fault> _faults = [];
    private int _last;

    public IReadOnlyList<Fault> All
    {
        get
        {
            lock (_gate)
            {
                return [.. _faults];
            }
        }
    }

    public bool NeedsBody
    {
        get
        {
            lock (_gate)
            {
                return _faults.Exists(fault => fault.Rule.BodyContains is not null);
            }
        }
    }

    public Fault Add(FaultRule rule)
    {
        lock (_gate)
        {
            var fault = new Fault((++_last).ToString(CultureInfo.InvariantCulture), rule);
            _faults.Add(fault);
            return fault;
        }
    }

    public Fault? Find(string id)
    {
        lock (_gate)
        {
            return _faults.Find(fault => fault.Id == id);
        }
    }

    public bool Remove(string id)
    {
        Fault? fault;
        lock (_gate)
        {
            fault = _faults.Find(fault => fault.Id == id);
            if (fault is null)
            {
                return false;
            }

            _faults.Remove(fault);
        }

        Release(fault);
        return true;
    }

    /// <returns>How many requests were let go.</returns>
    public static int Release(Fault fault)
    {
        int released = 0;
        foreach (var held in fault.Holding.Keys)
        {
            held.Release();
            released++;
        }

        return released;
    }

    public Fault? TakeRequest(string method, string path, string? body) => Take(fault => fault.MatchesRequest(method, path, body));

    public TrainingQuirks? TakeTraining(string destination) => Take(fault => fault.MatchesTraining(destination))?.Rule.Action!.Quirks;

    public FaultAction? TakeWebhook(string destination, string webhookEvent) => Take(fault => fault.MatchesWebhook(destination, webhookEvent))?.Rule.Action;

    // Every rule that matches counts; the oldest that applies is the one that acts.
    private Fault? Take(Predicate<Fault> matches)
    {
        lock (_gate)
        {
            Fault? taken = null;
            foreach (var fault in _faults.Where(fault => matches(fault)))
            {
                if (fault.Count(free: taken is null))
                {
                    taken = fault;
                }
            }

            return taken;
        }
    }
}
