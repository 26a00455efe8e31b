using System.Text.Json;
using Flurrty.Sandbox.Journal;

namespace Flurrty.Sandbox.Invoices;

/// <summary>One accepted create. Nothing is merged: the same request twice is two of these.</summary>
internal sealed record InvoicedRun
{
    public required int Number { get; init; }
    public required string Provider { get; init; }
    public required string Kind { get; init; }
    public required string Id { get; init; }
    public required string Account { get; init; }
    public required string Model { get; init; }
    public string? Destination { get; init; }
    public IReadOnlyList<string> InputFiles { get; init; } = [];
    public required DateTimeOffset AcceptedAt { get; init; }
    public string Status { get; init; } = "accepted";
    public double BilledSeconds { get; init; }
    public double CostUsd { get; init; }
    public DateTimeOffset? EndedAt { get; init; }
}

/// <summary>What every provider of the sandbox would charge for, written to <c>invoice.jsonl</c> before a create is answered.</summary>
internal sealed class Invoice : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, InvoicedRun> _runs = new(StringComparer.Ordinal);
    private readonly List<string> _order = [];
    private readonly AppendOnlyFile _file;

    public Invoice(string path) => _file = AppendOnlyFile.Open(path, line => Apply(JsonSerializer.Deserialize<Entry>(line, DocumentJournal.Json)!));

    public IReadOnlyList<InvoicedRun> Runs
    {
        get
        {
            lock (_gate)
            {
                return [.. _order.Select(id => _runs[id])];
            }
        }
    }

    public bool Has(string id)
    {
        lock (_gate)
        {
            return _runs.ContainsKey(id);
        }
    }

    /// <summary>Returns when the line is on the disk.</summary>
    public InvoicedRun Accept(string provider, string kind, string id, string account, string model, string? destination, IReadOnlyList<string> inputFiles, DateTimeOffset at)
    {
        lock (_gate)
        {
            var run = new InvoicedRun
            {
                Number = _order.Count + 1,
                Provider = provider,
                Kind = kind,
                Id = id,
                Account = account,
                Model = model,
                Destination = destination,
                InputFiles = inputFiles,
                AcceptedAt = at,
            };
            Write(new Entry("accepted", id, at, run, null, 0, 0));
            return run;
        }
    }

    public void End(string id, string status, double billedSeconds, double costUsd, DateTimeOffset at)
    {
        lock (_gate)
        {
            if (_runs.TryGetValue(id, out var run) && run.EndedAt is null)
            {
                Write(new Entry("ended", id, at, null, status, billedSeconds, costUsd));
            }
        }
    }

    public void Dispose() => _file.Dispose();

    private void Write(Entry entry)
    {
        _file.Append(JsonSerializer.SerializeToUtf8Bytes(entry, DocumentJournal.Json));
        Apply(entry);
    }

    private void Apply(Entry entry)
    {
        if (entry.Run is { } run)
        {
            _runs[entry.Id] = run;
            _order.Add(entry.Id);
        }
        else
        {
            _runs[entry.Id] = _runs[entry.Id] with
            {
                Status = entry.Status!,
                BilledSeconds = entry.BilledSeconds,
                CostUsd = entry.CostUsd,
                EndedAt = entry.At,
            };
        }
    }

    private sealed record Entry(string Event, string Id, DateTimeOffset At, InvoicedRun? Run, string? Status, double BilledSeconds, double CostUsd);
}
