using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Flurrty.Sandbox.Tests.Support;

namespace Flurrty.Sandbox.Tests;

public sealed class FaultTests
{
    [Fact]
    public async Task Answer_With429_IsGivenOnceAndHasNoEffect()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await sandbox.Replicate.CreateModelAsync();
        string fault = await sandbox.Replicate.FaultAsync(Create(new JsonObject
        {
            ["kind"] = "answer",
            ["status"] = 429,
            ["headers"] = new JsonObject { ["Retry-After"] = "7" },
            ["body"] = new JsonObject { ["detail"] = "Request was throttled. Your rate limit resets in ~7s." },
        }));

        var refused = await TrainAsync(sandbox);
        var accepted = await TrainAsync(sandbox);

        Assert.Equal(429, refused.Status);
        Assert.Equal("application/problem+json", refused.ContentType);
        Assert.Equal("7", refused.Headers.GetValues("Retry-After").Single());
        Assert.Equal("Request was throttled. Your rate limit resets in ~7s.", (string?)refused["detail"]);
        Assert.Equal(201, accepted.Status);
        Assert.Equal(1, (int)(await sandbox.Replicate.InvoiceAsync())["count"]!);
        var state = await sandbox.Replicate.FaultStateAsync(fault);
        Assert.Equal((2, 1), ((int)state["seen"]!, (int)state["hits"]!));
    }

    [Theory]
    [InlineData(402)]
    [InlineData(422)]
    [InlineData(500)]
    [InlineData(503)]
    public async Task Answer_WithAnyStatus_CanLeaveHeadersAndBodyOut(int status)
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await sandbox.Replicate.CreateModelAsync();
        await sandbox.Replicate.FaultAsync(Create(new JsonObject { ["kind"] = "answer", ["status"] = status }));

        var refused = await TrainAsync(sandbox);

        Assert.Equal(status, refused.Status);
        Assert.Empty(refused.Bytes);
        Assert.False(refused.Headers.Contains("Retry-After"));
        Assert.Equal(0, (int)(await sandbox.Replicate.InvoiceAsync())["count"]!);
    }

    [Fact]
    public async Task Answer_AfterTheEffect_HidesThatTheJobWasCreated()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await sandbox.Replicate.CreateModelAsync();
        await sandbox.Replicate.FaultAsync(Create(new JsonObject { ["kind"] = "answer", ["when"] = "after", ["status"] = 500, ["body"] = "Internal Server Error" }));

        var answer = await TrainAsync(sandbox);

        Assert.Equal((500, "Internal Server Error"), (answer.Status, answer.Text));
        Assert.Equal(1, (int)(await sandbox.Replicate.InvoiceAsync())["count"]!);
        Assert.Single((await sandbox.Replicate.GetAsync("/v1/trainings"))["results"]!.AsArray());
    }

    [Theory]
    [InlineData("before", 0)]
    [InlineData("after", 1)]
    public async Task Drop_ClosesTheConnection(string when, int runs)
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await sandbox.Replicate.CreateModelAsync();
        await sandbox.Replicate.FaultAsync(Create(new JsonObject { ["kind"] = "drop", ["when"] = when }));

        await Assert.ThrowsAnyAsync<HttpRequestException>(() => TrainAsync(sandbox));

        Assert.Equal(runs, (int)(await sandbox.Replicate.InvoiceAsync())["count"]!);
    }

    [Theory]
    [InlineData("before")]
    [InlineData("after")]
    public async Task Delay_KeepsTheAnswerBack(string when)
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await sandbox.Replicate.FaultAsync(new JsonObject { ["path"] = "/v1/account", ["action"] = new JsonObject { ["kind"] = "delay", ["when"] = when, ["seconds"] = 0.6 } });
        long started = TimeProvider.System.GetTimestamp();

        var answer = await sandbox.Replicate.GetAsync("/v1/account");

        Assert.Equal(200, answer.Status);
        Assert.True(TimeProvider.System.GetElapsedTime(started) > TimeSpan.FromSeconds(0.5));
    }

    [Fact]
    public async Task Hang_NeverAnswersAndHasNoEffect()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await sandbox.Replicate.CreateModelAsync();
        string fault = await sandbox.Replicate.FaultAsync(Create(new JsonObject { ["kind"] = "hang" }));
        using var patience = new CancellationTokenSource();
        var create = TrainAsync(sandbox, patience.Token);
        await sandbox.Replicate.HeldAsync(fault);

        await patience.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => create);
        await NothingHeldAsync(sandbox, fault);
        Assert.Equal(0, (int)(await sandbox.Replicate.InvoiceAsync())["count"]!);
    }

    [Fact]
    public async Task Hold_BeforeTheEffect_LetsTheRequestGoOnWhenReleased()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await sandbox.Replicate.CreateModelAsync();
        string fault = await sandbox.Replicate.FaultAsync(Create(new JsonObject { ["kind"] = "hold" }));
        var create = TrainAsync(sandbox);
        var state = await sandbox.Replicate.HeldAsync(fault);
        Assert.Equal(0, (int)(await sandbox.Replicate.InvoiceAsync())["count"]!);
        Assert.Equal(("POST", "before"), ((string?)state["held"]![0]!["method"], (string?)state["held"]![0]!["when"]));

        Assert.Equal(1, (int)(await sandbox.Replicate.ReleaseAsync(fault))["released"]!);

        Assert.Equal(201, (await create).Status);
        Assert.Equal(1, (int)(await sandbox.Replicate.InvoiceAsync())["count"]!);
        Assert.Equal(0, (int)(await sandbox.Replicate.FaultStateAsync(fault))["holding"]!);
    }

    [Fact]
    public async Task Hold_BeforeTheEffect_EndsWithoutOneWhenTheSenderGoes()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await sandbox.Replicate.CreateModelAsync();
        string fault = await sandbox.Replicate.FaultAsync(Create(new JsonObject { ["kind"] = "hold" }));
        using var patience = new CancellationTokenSource();
        var create = TrainAsync(sandbox, patience.Token);
        await sandbox.Replicate.HeldAsync(fault);

        await patience.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => create);
        await NothingHeldAsync(sandbox, fault);
        Assert.Equal(0, (int)(await sandbox.Replicate.InvoiceAsync())["count"]!);
    }

    [Fact]
    public async Task Hold_ThatSurvivesItsSender_TakesEffectWhenReleased()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await sandbox.Replicate.CreateModelAsync();
        string fault = await sandbox.Replicate.FaultAsync(Create(new JsonObject { ["kind"] = "hold", ["survives_disconnect"] = true }));
        using var patience = new CancellationTokenSource();
        var create = TrainAsync(sandbox, patience.Token);
        await sandbox.Replicate.HeldAsync(fault);
        await patience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => create);
        await Eventually.HoldsAsync(() => sandbox.Replicate.FaultStateAsync(fault), state => (bool?)state["held"]![0]!["sender_gone"] == true, "the sandbox noticed that the sender has gone");
        Assert.Equal(0, (int)(await sandbox.Replicate.InvoiceAsync())["count"]!);

        await sandbox.Replicate.ReleaseAsync(fault);

        await Eventually.HoldsAsync(sandbox.Replicate.InvoiceAsync, invoice => (int)invoice["count"]! == 1, "the run is on the invoice");
    }

    [Fact]
    public async Task Hold_AfterTheEffect_CountsWhileTheAnswerWaits()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await sandbox.Replicate.CreateModelAsync();
        string fault = await sandbox.Replicate.FaultAsync(Create(new JsonObject { ["kind"] = "hold", ["when"] = "after" }));
        var create = TrainAsync(sandbox);
        await sandbox.Replicate.HeldAsync(fault);
        Assert.Equal(1, (int)(await sandbox.Replicate.InvoiceAsync())["count"]!);
        Assert.False(create.IsCompleted);

        await sandbox.Replicate.ReleaseAsync(fault);

        var answer = await create;
        Assert.Equal(201, answer.Status);
        Assert.Equal((string?)(await sandbox.Replicate.InvoiceAsync())["runs"]![0]!["id"], (string?)answer["id"]);
        Assert.Equal("application/json", answer.ContentType);
    }

    [Fact]
    public async Task Hold_OfAnUpload_KeepsTheWholeBody()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        string fault = await sandbox.Replicate.FaultAsync(new JsonObject { ["method"] = "POST", ["path"] = "/v1/files", ["action"] = new JsonObject { ["kind"] = "hold" } });
        var upload = sandbox.Replicate.UploadAsync(new byte[5_000_000]);
        await sandbox.Replicate.HeldAsync(fault);

        await sandbox.Replicate.ReleaseAsync(fault);

        Assert.Equal(5_000_000, (int)(await upload)["size"]!);
    }

    [Fact]
    public async Task Delete_OfARule_ReleasesWhatItHolds()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        string fault = await sandbox.Replicate.FaultAsync(new JsonObject { ["path"] = "/v1/account", ["action"] = new JsonObject { ["kind"] = "hold" } });
        var read = sandbox.Replicate.GetAsync("/v1/account");
        await sandbox.Replicate.HeldAsync(fault);

        var deleted = await sandbox.Replicate.SendAsync(HttpMethod.Delete, $"/admin/faults/{fault}", token: null);

        Assert.Equal(204, deleted.Status);
        Assert.Equal(200, (await read).Status);
        Assert.Equal(404, (await sandbox.Replicate.GetAsync($"/admin/faults/{fault}", token: null)).Status);
    }

    [Fact]
    public async Task Cut_BreaksADownloadInTheMiddle()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        var training = await sandbox.Replicate.EndAsync(await sandbox.Replicate.StartTrainingAsync());
        await sandbox.Replicate.FaultAsync(new JsonObject { ["path"] = "/delivery/**", ["action"] = new JsonObject { ["kind"] = "cut", ["bytes"] = 100_000 } });
        using var response = await sandbox.Replicate.Http.GetAsync((string)training["output"]!["weights"]!, HttpCompletionOption.ResponseHeadersRead);

        Assert.Equal(200, (int)response.StatusCode);
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => response.Content.ReadAsByteArrayAsync());
        Assert.Equal(200, (await sandbox.Replicate.GetAsync((string)training["output"]!["weights"]!, token: null)).Status);
    }

    [Fact]
    public async Task Rule_ForTheSecondAndThirdMatch_LeavesTheOthersAlone()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await sandbox.Replicate.FaultAsync(new JsonObject { ["path"] = "/v1/*", ["nth"] = 2, ["count"] = 2, ["action"] = new JsonObject { ["kind"] = "answer", ["status"] = 503 } });

        var statuses = new List<int>();
        for (int number = 0; number < 5; number++)
        {
            statuses.Add((await sandbox.Replicate.GetAsync("/v1/account")).Status);
        }

        Assert.Equal([200, 503, 503, 200, 200], statuses);
        Assert.Equal(404, (await sandbox.Replicate.GetAsync("/v1/trainings/unknown")).Status);
    }

    [Fact]
    public async Task Rule_OnABody_MatchesOnlyRequestsThatContainIt()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await sandbox.Replicate.FaultAsync(new JsonObject { ["path"] = "/v1/models", ["body_contains"] = "\"ben\"", ["count"] = 0, ["action"] = new JsonObject { ["kind"] = "answer", ["status"] = 500 } });

        Assert.Equal(201, (await sandbox.Replicate.CreateModelAsync("anna")).Status);
        Assert.Equal(500, (await sandbox.Replicate.CreateModelAsync("ben")).Status);
        Assert.Equal(500, (await sandbox.Replicate.CreateModelAsync("ben")).Status);
    }

    [Fact]
    public async Task Starting_CanLast()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await QuirksAsync(sandbox, new JsonObject { ["starting_seconds"] = 600 });
        string id = await sandbox.Replicate.StartTrainingAsync();

        await Task.Delay(800);
        var waiting = await sandbox.Replicate.TrainingAsync(id);
        await sandbox.Replicate.PostAsync($"/admin/replicate/trainings/{id}/finish", token: null);

        Assert.Equal("starting", (string?)waiting["status"]);
        Assert.Equal("succeeded", (string?)(await sandbox.Replicate.TrainingAsync(id))["status"]);
    }

    [Fact]
    public async Task HiddenTraining_CountsBeforeItIsShown()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await QuirksAsync(sandbox, new JsonObject { ["hidden_seconds"] = 1000 });
        string id = await sandbox.Replicate.StartTrainingAsync();

        Assert.Equal(404, (await sandbox.Replicate.GetAsync($"/v1/trainings/{id}")).Status);
        Assert.Equal(404, (await sandbox.Replicate.PostAsync($"/v1/trainings/{id}/cancel")).Status);
        Assert.Empty((await sandbox.Replicate.GetAsync("/v1/trainings"))["results"]!.AsArray());
        Assert.Equal(1, (int)(await sandbox.Replicate.InvoiceAsync())["count"]!);
        await sandbox.Replicate.PostAsync("/admin/clock", new JsonObject { ["advance_seconds"] = 1001 }, token: null);

        Assert.Single((await sandbox.Replicate.GetAsync("/v1/trainings"))["results"]!.AsArray());
        Assert.Equal("succeeded", (string?)(await sandbox.Replicate.EndAsync(id))["status"]);
    }

    [Fact]
    public async Task Stop_OfTheSandbox_DoesNotWaitForHeldRequests()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        string fault = await sandbox.Replicate.FaultAsync(new JsonObject { ["path"] = "/v1/account", ["action"] = new JsonObject { ["kind"] = "hold", ["survives_disconnect"] = true } });
        var read = sandbox.Replicate.GetAsync("/v1/account");
        await sandbox.Replicate.HeldAsync(fault);

        await sandbox.StopAsync().WaitAsync(Deadline.Step);

        await Assert.ThrowsAnyAsync<HttpRequestException>(() => read);
    }

    [Fact]
    public async Task Failure_HasTheTextThatWasAskedFor()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await QuirksAsync(sandbox, new JsonObject { ["fail"] = "CUDA out of memory", ["fail_at"] = 0.8 });

        var training = await sandbox.Replicate.EndAsync(await sandbox.Replicate.StartTrainingAsync());

        Assert.Equal(("failed", "CUDA out of memory"), ((string?)training["status"], (string?)training["error"]));
        Assert.Contains("flux_train_replicate:", (string)training["logs"]!, StringComparison.Ordinal);
        Assert.EndsWith("CUDA out of memory\n", (string)training["logs"]!, StringComparison.Ordinal);
        Assert.True((double)(await sandbox.Replicate.InvoiceAsync())["billed_seconds"]! > 0);
    }

    [Fact]
    public async Task Refusal_FailsBeforeTheStartAndCostsNothing()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await QuirksAsync(sandbox, new JsonObject { ["refuse"] = "Prediction input failed validation: no" });

        var training = await sandbox.Replicate.EndAsync(await sandbox.Replicate.StartTrainingAsync());

        Assert.Equal("Prediction input failed validation: no", (string?)training["error"]);
        Assert.Equal(0, (double)(await sandbox.Replicate.InvoiceAsync())["billed_seconds"]!);
    }

    [Theory]
    [InlineData("null", false, false)]
    [InlineData("without-weights", true, false)]
    [InlineData("without-version", false, true)]
    public async Task Output_CanLackWhatItShouldHave(string output, bool version, bool weights)
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await QuirksAsync(sandbox, new JsonObject { ["output"] = output });

        var training = await sandbox.Replicate.EndAsync(await sandbox.Replicate.StartTrainingAsync());

        Assert.Equal("succeeded", (string?)training["status"]);
        Assert.Equal(output == "null", training["output"] is null);
        Assert.Equal((version, weights), (training["output"]?["version"] is not null, training["output"]?["weights"] is not null));
    }

    [Fact]
    public async Task Cancel_ThatComesTooLate_AnswersWithTheSuccess()
    {
        await using var sandbox = await RunningSandbox.StartAsync("--Sandbox:SecondsPerTraining=60");
        await QuirksAsync(sandbox, new JsonObject { ["cancel"] = "too-late" });
        string id = await sandbox.Replicate.StartTrainingAsync();

        var canceled = await sandbox.Replicate.PostAsync($"/v1/trainings/{id}/cancel");

        Assert.Equal((200, "succeeded"), (canceled.Status, (string?)canceled["status"]));
        Assert.NotNull(canceled["output"]!["weights"]);
    }

    [Fact]
    public async Task Cancel_ThatIsOvertaken_AnswersCanceledAndSucceeds()
    {
        await using var sandbox = await RunningSandbox.StartAsync("--Sandbox:SecondsPerTraining=60");
        await QuirksAsync(sandbox, new JsonObject { ["cancel"] = "overtaken" });
        string id = await sandbox.Replicate.StartTrainingAsync();

        var canceled = await sandbox.Replicate.PostAsync($"/v1/trainings/{id}/cancel");

        Assert.Equal("canceled", (string?)canceled["status"]);
        Assert.Equal("succeeded", (string?)(await sandbox.Replicate.UntilAsync(id, "succeeded"))["status"]);
    }

    [Fact]
    public async Task Logs_CanBeNoisyOrSilent()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await QuirksAsync(sandbox, new JsonObject { ["logs"] = "ansi" });
        var ansi = await sandbox.Replicate.EndAsync(await sandbox.Replicate.StartTrainingAsync());
        await QuirksAsync(sandbox, new JsonObject { ["logs"] = "long" });
        var longer = await sandbox.Replicate.EndAsync(await sandbox.Replicate.StartTrainingAsync());
        await QuirksAsync(sandbox, new JsonObject { ["logs"] = "silent" });
        var silent = await sandbox.Replicate.EndAsync(await sandbox.Replicate.StartTrainingAsync());

        Assert.Contains("\u001b[1;33m", (string)ansi["logs"]!, StringComparison.Ordinal);
        Assert.Contains('\0', (string)ansi["logs"]!);
        Assert.Contains(" 57%|", (string)ansi["logs"]!, StringComparison.Ordinal);
        Assert.True(((string)longer["logs"]!).Length > 2_000_000);
        Assert.Equal("", (string?)silent["logs"]);
        Assert.All([ansi, longer, silent], training => Assert.Equal("succeeded", (string?)training["status"]));
    }

    [Fact]
    public async Task Logs_CanBreakStrictJsonParsers()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await QuirksAsync(sandbox, new JsonObject { ["logs"] = "unescaped" });
        string id = await sandbox.Replicate.StartTrainingAsync();
        await Eventually.HoldsAsync(
            async () => (await sandbox.Replicate.GetAsync("/v1/trainings"))["results"]![0]!, training => (string?)training["status"] == "succeeded", "the training succeeded");

        var answer = await sandbox.Replicate.GetAsync($"/v1/trainings/{id}");

        Assert.ThrowsAny<JsonException>(() => answer.Json);
        Assert.Contains("\rflux_train_replicate: 100%", answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Quirks_CanBeMeantForOneDestination()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await sandbox.Replicate.FaultAsync(new JsonObject
        {
            ["on"] = "training",
            ["destination"] = "sandbox-user/ben",
            ["count"] = 0,
            ["action"] = new JsonObject { ["kind"] = "quirks", ["quirks"] = new JsonObject { ["fail"] = "no" } },
        });

        Assert.Equal("succeeded", (string?)(await sandbox.Replicate.EndAsync(await sandbox.Replicate.StartTrainingAsync()))["status"]);
    }

    [Theory]
    [InlineData("""{"action":{"kind":"quirks","quirks":{}}}""")]
    [InlineData("""{"on":"training","action":{"kind":"hold"}}""")]
    [InlineData("""{"on":"webhook","path":"/v1","action":{"kind":"never"}}""")]
    [InlineData("""{"path":"/v1"}""")]
    [InlineData("""{"pth":"/v1","action":{"kind":"drop"}}""")]
    [InlineData("""{"action":{"kind":"explode"}}""")]
    [InlineData("""{"nth":0,"action":{"kind":"drop"}}""")]
    [InlineData("[")]
    public async Task Rule_ThatMakesNoSense_IsRefused(string rule)
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        using var content = new StringContent(rule, Encoding.UTF8, "application/json");

        Assert.Equal(422, (await sandbox.Replicate.SendAsync(HttpMethod.Post, "/admin/faults", token: null, content: content)).Status);
        Assert.Empty((await sandbox.Replicate.GetAsync("/admin/faults", token: null))["faults"]!.AsArray());
    }

    [Fact]
    public async Task Hold_OfAHalfSentRequest_DoesNotCount()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await sandbox.Replicate.CreateModelAsync();
        await sandbox.Replicate.FaultAsync(Create(new JsonObject { ["kind"] = "hold", ["survives_disconnect"] = true }));
        using (var socket = new TcpClient())
        {
            await socket.ConnectAsync("127.0.0.1", new Uri(sandbox.Replicate.Origin).Port);
            string head = $"POST {ReplicateDriver.CreatePath} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ReplicateDriver.Token}\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{{\"input\":";
            await socket.GetStream().WriteAsync(Encoding.ASCII.GetBytes(head));
        }

        Assert.Equal(200, (await sandbox.Replicate.GetAsync("/v1/account")).Status);
        Assert.Equal(0, (int)(await sandbox.Replicate.InvoiceAsync())["count"]!);
    }

    private static JsonObject Create(JsonObject action) => new() { ["method"] = "POST", ["path"] = "/v1/models/*/*/versions/*/trainings", ["action"] = action };

    private static Task<string> QuirksAsync(RunningSandbox sandbox, JsonObject quirks) =>
        sandbox.Replicate.FaultAsync(new JsonObject { ["on"] = "training", ["action"] = new JsonObject { ["kind"] = "quirks", ["quirks"] = quirks } });

    private static Task<Answer> TrainAsync(RunningSandbox sandbox, CancellationToken cancellationToken = default) =>
        sandbox.Replicate.TrainAsync(new JsonObject { ["input_images"] = "data:application/zip;base64," + Convert.ToBase64String(Zips.Photos(3)) }, cancellationToken: cancellationToken);

    private static async Task NothingHeldAsync(RunningSandbox sandbox, string fault) =>
        await Eventually.HoldsAsync(() => sandbox.Replicate.FaultStateAsync(fault), state => (int)state["holding"]! == 0, "the request was let go");
}
