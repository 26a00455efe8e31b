using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Flurrty.Sandbox.Journal;

/// <summary>
/// Named sets of documents, kept in memory and in one append-only file; the last line of a document is its state.
/// A change is on the disk before anyone can see it.
/// </summary>
internal sealed class DocumentJournal : IDisposable
{
    internal static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.General)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower) },
    };

    private readonly Dictionary<string, Dictionary<string, JsonElement>> _loaded = new(StringComparer.Ordinal);
    private readonly AppendOnlyFile _file;

    public DocumentJournal(string path) => _file = AppendOnlyFile.Open(path, Load);

    internal Lock Gate { get; } = new();

    public DocumentSet<T> Set<T>(string name)
        where T : class
    {
        var documents = new ConcurrentDictionary<string, T>(StringComparer.Ordinal);
        if (_loaded.Remove(name, out var loaded))
        {
            foreach (var (id, value) in loaded)
            {
                documents[id] = value.Deserialize<T>(Json)!;
            }
        }

        return new DocumentSet<T>(this, name, documents);
    }

    public void Dispose()
    {
        lock (Gate)
        {
            _file.Dispose();
        }
    }

    internal void Write<T>(string set, string id, T? value)
        where T : class
    {
        var line = new Line<T>(set, id, value);
        _file.Append(JsonSerializer.SerializeToUtf8Bytes(line, Json));
    }

    private void Load(string text)
    {
        var line = JsonSerializer.Deserialize<Line<JsonDocument>>(text, Json)
            ?? throw new InvalidDataException("A line of the journal is not an object.");
        if (!_loaded.TryGetValue(line.Set, out var documents))
        {
            _loaded[line.Set] = documents = new(StringComparer.Ordinal);
        }

        if (line.Value is null)
        {
            documents.Remove(line.Id);
        }
        else
        {
            documents[line.Id] = line.Value.RootElement;
        }
    }

    private sealed record Line<T>(string Set, string Id, T? Value);
}

/// <summary>The documents of one kind.</summary>
internal sealed class DocumentSet<T>
    where T : class
{
    private readonly DocumentJournal _journal;
    private readonly string _name;
    private readonly ConcurrentDictionary<string, T> _documents;

    internal DocumentSet(DocumentJournal journal, string name, ConcurrentDictionary<string, T> documents)
    {
        _journal = journal;
        _name = name;
        _documents = documents;
    }

    /// <summary>A snapshot, in no order.</summary>
    public ICollection<T> All => _documents.Values;

    public T? Find(string id) => _documents.GetValueOrDefault(id);

    public bool TryAdd(string id, T document)
    {
        lock (_journal.Gate)
        {
            if (_documents.ContainsKey(id))
            {
                return false;
            }

            Write(id, document);
            return true;
        }
    }

    public void Put(string id, T document)
    {
        lock (_journal.Gate)
        {
            Write(id, document);
        }
    }

    /// <summary>Replaces a document by what <paramref name="change"/> makes of it; null leaves it as it is.</summary>
    /// <returns>The new document, or null when there is none or it was left.</returns>
    public T? Change(string id, Func<T, T?> change)
    {
        lock (_journal.Gate)
        {
            if (!_documents.TryGetValue(id, out var current) || change(current) is not { } changed)
            {
                return null;
            }

            Write(id, changed);
            return changed;
        }
    }

    public bool Remove(string id)
    {
        lock (_journal.Gate)
        {
            if (!_documents.ContainsKey(id))
            {
                return false;
            }

            _journal.Write<T>(_name, id, null);
            return _documents.TryRemove(id, out _);
        }
    }

    private void Write(string id, T document)
    {
        _journal.Write(_name, id, document);
        _documents[id] = document;
    }
}
