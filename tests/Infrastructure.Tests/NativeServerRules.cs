using System.Net.NetworkInformation;

namespace Flurrty.Infrastructure.Tests;

/// <summary>What eng/native/README.md promises of every server.</summary>
public abstract class NativeServerRules
{
    internal abstract NativeServer Create();

    /// <summary>One of the variables without which the server cannot start.</summary>
    protected abstract string RequiredVariable { get; }

    [Fact]
    public async Task Stop_WhileInUse_ExitsWithZeroAndLeavesNoProcess()
    {
        await using var server = Create();
        await server.StartAsync();

        Assert.Equal(0, await server.StopAsync());

        await server.NothingIsLeftAsync(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task Kill_ScriptAlone_LeavesNoProcessAndTheNextStartServes()
    {
        await using var server = Create();
        await server.StartAsync();

        await server.KillScriptAsync();

        await server.NothingIsLeftAsync(TimeSpan.FromSeconds(10));
        await server.StartAsync();
    }

    [Fact]
    public async Task Kill_EveryProcess_TheNextStartServes()
    {
        await using var server = Create();
        await server.StartAsync();

        await server.KillEverythingAsync();

        await server.StartAsync();
    }

    [Fact]
    public async Task Start_DirectoryInUse_IsRefusedAndTheFirstKeepsServing()
    {
        await using var first = Create();
        await first.StartAsync();
        await using var second = Create();
        Directory.CreateSymbolicLink(second.Data, Path.GetFullPath(first.Data));

        Assert.Equal(1, await second.RunToEndAsync());

        Assert.Contains("is already serving from", second.Output, StringComparison.Ordinal);
        Directory.Delete(second.Data);
        await first.UseAsync();
    }

    [Fact]
    public async Task Start_VariableMissing_EndsWithASentence()
    {
        await using var server = Create();

        Assert.Equal(1, await server.RunToEndAsync(RequiredVariable));

        Assert.Contains(RequiredVariable, server.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_TwoSideBySide_BothServeOnLoopbackOnly()
    {
        await using var one = Create();
        await using var other = Create();
        await Task.WhenAll(one.StartAsync(), other.StartAsync());

        await one.UseAsync();
        await other.UseAsync();

        var listeners = IPGlobalProperties.GetIPGlobalProperties().GetActiveTcpListeners().Where(end => end.Port == one.Port || end.Port == other.Port);
        Assert.Equal(["127.0.0.1", "127.0.0.1"], listeners.Select(end => end.Address.ToString()));
    }
}
