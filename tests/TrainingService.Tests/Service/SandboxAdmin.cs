using System.Net.Http.Json;
using System.Text.Json;

namespace Flurrty.TrainingService.Tests.Service;

/// <summary>The Sandbox's own API: what it would charge for, and what goes wrong.</summary>
internal sealed class SandboxAdmin(Uri address) : IDisposable
{
    private readonly HttpClient _client = new() { BaseAddress = address };

    public static Guid Installation { get; } = Guid.Parse("0f8fad5b-d9cb-469f-a165-70867728950e");

    public static string DestinationOf(Guid accountId, string owner = "sandbox-user") => $"{owner}/flurrty-0f8fad5b-{accountId.ToString("N")[^12..]}";

    /// <summary>The runs that an account would be charged for.</summary>
    public async Task<IReadOnlyList<JsonElement>> RunsAsync(Guid accountId, string owner = "sandbox-user")
    {
        var invoice = await _client.GetFromJsonAsync<JsonElement>($"admin/invoice?destination={Uri.EscapeDataString(DestinationOf(accountId, owner))}");
        return [.. invoice.GetProperty("runs").EnumerateArray().Where(static run => run.GetProperty("kind").GetString() == "training")];
    }

    public Task<JsonElement> StateAsync() => _client.GetFromJsonAsync<JsonElement>("admin/state")!;

    /// <summary>Adds a fault and returns its id.</summary>
    public async Task<string> AddFaultAsync(object rule)
    {
        using var response = await _client.PostAsJsonAsync("admin/faults", rule);
        var answer = await response.Content.ReadFromJsonAsync<JsonElement>();
        return response.IsSuccessStatusCode ? answer.GetProperty("id").GetString()! : throw new InvalidOperationException($"The fault was refused: {answer}");
    }

    public async Task<JsonElement> FaultAsync(string id) => await _client.GetFromJsonAsync<JsonElement>($"admin/faults/{id}");

    public Task ReleaseAsync(string id) => PostAsync($"admin/faults/{id}/release");

    /// <summary>How long every run takes from here on.</summary>
    public async Task SetSpeedAsync(double secondsPerTraining)
    {
        using var response = await _client.PutAsJsonAsync("admin/speed", new { seconds_per_training = secondsPerTraining });
        response.EnsureSuccessStatusCode();
    }

    /// <summary>Ends a run now.</summary>
    public Task FinishAsync(string run) => PostAsync($"admin/replicate/trainings/{run}/finish");

    /// <summary>Removes the data of a run that has ended, as Replicate does after an hour.</summary>
    public Task RemoveDataAsync(string run) => PostAsync($"admin/replicate/trainings/{run}/remove-data");

    public async Task ClearFaultsAsync()
    {
        using var response = await _client.DeleteAsync("admin/faults");
        response.EnsureSuccessStatusCode();
    }

    private async Task PostAsync(string path)
    {
        using var response = await _client.PostAsync(path, content: null);
        response.EnsureSuccessStatusCode();
    }

    public void Dispose() => _client.Dispose();
}
