using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Flurrty.Sandbox.Tests.Support;

namespace Flurrty.Sandbox.Tests;

public sealed partial class TrainingsTests
{
    [Fact]
    public async Task Create_WithAnUploadedZip_TrainsANewVersion()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        var replicate = sandbox.Replicate;
        string id = await replicate.StartTrainingAsync(input: new JsonObject { ["steps"] = 500, ["trigger_word"] = "ANNA" });

        var training = await replicate.EndAsync(id);

        Assert.Equal("succeeded", (string?)training["status"]);
        string version = (string)training["output"]!["version"]!;
        Assert.Matches("^sandbox-user/anna:[0-9a-f]{64}$", version);
        Assert.Matches("/delivery/[A-Za-z0-9]+/trained_model.tar$", (string)training["output"]!["weights"]!);
        Assert.True((double)training["metrics"]!["predict_time"]! > 0);
        var model = await replicate.GetAsync("/v1/models/sandbox-user/anna");
        Assert.Equal(version.Split(':')[1], (string?)model["latest_version"]!["id"]);
        Assert.Equal(200, (await replicate.GetAsync($"/v1/models/sandbox-user/anna/versions/{version.Split(':')[1]}")).Status);
        string logs = (string)training["logs"]!;
        Assert.Contains("Extracted 4 files from zip to input_images\n", logs, StringComparison.Ordinal);
        Assert.Contains("\"trigger_word\": \"ANNA\"", logs, StringComparison.Ordinal);
        Assert.Equal("500/500", ProgressPattern().Matches(logs)[^1].Groups["steps"].Value);
    }

    [Fact]
    public async Task Progress_WhileItTrains_OnlyGrows()
    {
        await using var sandbox = await RunningSandbox.StartAsync("--Sandbox:SecondsPerTraining=2");
        var replicate = sandbox.Replicate;
        string id = await replicate.StartTrainingAsync(input: new JsonObject { ["steps"] = 1000 });
        string last = "";
        var percents = new HashSet<int>();

        var ended = await Eventually.HoldsAsync(
            async () =>
            {
                var training = await replicate.TrainingAsync(id);
                string logs = (string?)training["logs"] ?? "";
                Assert.StartsWith(last, logs, StringComparison.Ordinal);
                last = logs;
                if (ProgressPattern().Matches(logs) is { Count: > 0 } matches)
                {
                    percents.Add(int.Parse(matches[^1].Groups["percent"].Value));
                }

                return training;
            },
            training => (string?)training["status"] == "succeeded",
            "the training succeeded");

        Assert.True(percents.Count >= 4, $"percentages seen: {string.Join(", ", percents)}");
        Assert.Contains('\r', (string)ended["logs"]!);
        Assert.Contains('\u001b', (string)ended["logs"]!);
    }

    [Fact]
    public async Task Create_WithStepsOutOfRange_FailsAfterwardsAndCostsNothing()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        string id = await sandbox.Replicate.StartTrainingAsync(input: new JsonObject { ["steps"] = 1 });

        var training = await sandbox.Replicate.EndAsync(id);

        Assert.Equal("failed", (string?)training["status"]);
        Assert.Equal(
            """Prediction input failed validation: {"detail":[{"loc":["body","input","steps"],"msg":"ensure this value is greater than or equal to 3","type":"value_error.number.not_ge","ctx":{"limit_value":3}}]}""",
            (string?)training["error"]);
        Assert.Equal("", (string?)training["logs"]);
        Assert.Equal((string?)training["started_at"], (string?)training["completed_at"]);
        Assert.Null(training["metrics"]);
        Assert.Null(training["output"]);
        var run = (await sandbox.Replicate.InvoiceAsync())["runs"]![0]!;
        Assert.Equal(("failed", 0), ((string)run["status"]!, (double)run["billed_seconds"]!));
    }

    [Theory]
    [InlineData("lora_rank", "129", "ensure this value is less than or equal to 128")]
    [InlineData("steps", "\"many\"", "value is not a valid integer")]
    [InlineData("caption_dropout_rate", "1.5", "ensure this value is less than or equal to 1")]
    [InlineData("autocaption", "\"perhaps\"", "value could not be parsed to a boolean")]
    [InlineData("trigger_word", "[]", "str type expected")]
    public async Task Create_WithABadInput_FailsWithTheRunnersMessage(string name, string value, string message)
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        string id = await sandbox.Replicate.StartTrainingAsync(input: new JsonObject { [name] = JsonNode.Parse(value) });

        var training = await sandbox.Replicate.EndAsync(id);

        Assert.Equal("failed", (string?)training["status"]);
        Assert.Contains($"\"input\",\"{name}\"],\"msg\":\"{message}\"", (string)training["error"]!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Create_WithAFieldTheTrainerDoesNotKnow_IgnoresIt()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        string id = await sandbox.Replicate.StartTrainingAsync(input: new JsonObject { ["network_alpha"] = 4 });

        Assert.Equal("succeeded", (string?)(await sandbox.Replicate.EndAsync(id))["status"]);
    }

    [Fact]
    public async Task Create_ThatCannotStart_IsRefusedAtOnceAndNotInvoiced()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        var replicate = sandbox.Replicate;
        await replicate.CreateModelAsync();
        var input = new JsonObject { ["input_images"] = "https://example.com/photos.zip" };

        var noToken = await replicate.TrainAsync(input, token: null);
        var wrongToken = await replicate.TrainAsync(input, token: "r8_wrong");
        var noDestination = await replicate.TrainAsync(input, destination: "sandbox-user/nobody");
        var notMine = await replicate.TrainAsync(input, destination: "somebody/anna");
        var noVersion = await replicate.TrainAsync(input, path: $"/v1/models/ostris/flux-dev-lora-trainer/versions/{new string('0', 64)}/trainings");
        await replicate.SendAsync(HttpMethod.Patch, "/admin/replicate/accounts/sandbox-user", new JsonObject { ["credit"] = 0 }, token: null);
        var noCredit = await replicate.TrainAsync(input);

        Assert.Equal("{\"title\":\"Unauthenticated\",\"detail\":\"You did not pass a valid authentication token\",\"status\":401}\n", noToken.Text);
        Assert.Equal(401, wrongToken.Status);
        Assert.Equal("{\"detail\":\"The specified training destination does not exist\",\"status\":404}\n", noDestination.Text);
        Assert.Equal(404, notMine.Status);
        Assert.Equal(
            "{\"title\":\"Invalid version or not permitted\",\"detail\":\"The specified version does not exist (or perhaps you don't have permission to use it?)\",\"status\":422}\n",
            noVersion.Text);
        Assert.Equal(402, noCredit.Status);
        Assert.Equal("Insufficient credit", (string?)noCredit["title"]);
        Assert.All([noToken, noDestination, noVersion, noCredit], answer => Assert.Equal("application/problem+json", answer.ContentType));
        Assert.Equal(0, (int)(await replicate.InvoiceAsync())["count"]!);
        Assert.Empty((await replicate.GetAsync("/v1/trainings"))["results"]!.AsArray());
    }

    [Fact]
    public async Task Create_WithABrokenBody_IsRefused()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        var replicate = sandbox.Replicate;
        await replicate.CreateModelAsync();
        using var broken = new StringContent("{\"destination\":", null, "application/json");
        using var text = new StringContent("{}", null, "text/plain");
        var input = new JsonObject { ["input_images"] = "https://example.com/photos.zip" };

        Assert.Equal(400, (await replicate.SendAsync(HttpMethod.Post, ReplicateDriver.CreatePath, content: broken)).Status);
        Assert.Equal(415, (await replicate.SendAsync(HttpMethod.Post, ReplicateDriver.CreatePath, content: text)).Status);
        Assert.Equal(400, (await replicate.PostAsync(ReplicateDriver.CreatePath, new JsonArray())).Status);
        Assert.Equal(422, (await replicate.PostAsync(ReplicateDriver.CreatePath, new JsonObject { ["input"] = new JsonObject() })).Status);
        Assert.Equal(422, (await replicate.PostAsync(ReplicateDriver.CreatePath, new JsonObject { ["destination"] = "sandbox-user/anna" })).Status);
        Assert.Equal(422, (await replicate.TrainAsync(input, new JsonObject { ["webhook"] = "not a url" })).Status);
        Assert.Equal(422, (await replicate.TrainAsync(input, new JsonObject { ["webhook"] = "ftp://example.com/" })).Status);
        Assert.Equal(422, (await replicate.TrainAsync(input, new JsonObject { ["webhook_events_filter"] = new JsonArray("finished") })).Status);
        Assert.Equal(0, (int)(await replicate.InvoiceAsync())["count"]!);
    }

    public static TheoryData<byte[], string> BadArchives => new()
    {
        { Zips.Text("this is not a zip"), "input_images must be a zip file" },
        { Zips.Photos(4)[..400], "input_images must be a zip file" },
        { Zips.Of(("photos/a.jpg", Zips.Jpeg)), "No images found in input_images" },
        { Zips.Of(("a.jpg", Zips.Text("not a photo"))), "No images found in input_images" },
        { Zips.Of(("__MACOSX/a.jpg", Zips.Jpeg), ("._a.jpg", Zips.Jpeg)), "No images found in input_images" },
    };

    [Theory]
    [MemberData(nameof(BadArchives))]
    public async Task Training_OfABadArchive_FailsAsTheTrainerDoes(byte[] archive, string error)
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        string id = await sandbox.Replicate.StartTrainingAsync(zip: archive);

        var training = await sandbox.Replicate.EndAsync(id);

        Assert.Equal(("failed", error), ((string?)training["status"], (string?)training["error"]));
        Assert.EndsWith($"ValueError: {error}\n", (string)training["logs"]!, StringComparison.Ordinal);
        Assert.True((double)training["metrics"]!["predict_time"]! > 0);
    }

    [Fact]
    public async Task Training_OfAFileThatWasDeleted_FailsAndCostsNothing()
    {
        await using var sandbox = await RunningSandbox.StartAsync("--Sandbox:SecondsPerTraining=3");
        var replicate = sandbox.Replicate;
        string id = await replicate.StartTrainingAsync();
        string file = (string)(await replicate.InvoiceAsync())["runs"]![0]!["input_files"]![0]!;
        Assert.Equal(204, (await replicate.SendAsync(HttpMethod.Delete, $"/v1/files/{file}")).Status);

        var training = await replicate.EndAsync(id);

        Assert.Equal(("failed", "Failed to download input_images: 404 Not Found"), ((string?)training["status"], (string?)training["error"]));
        Assert.Equal(0, (double)(await replicate.InvoiceAsync())["billed_seconds"]!);
    }

    [Fact]
    public async Task Create_WithADeletedFile_IsRefusedWhenSoConfigured()
    {
        await using var sandbox = await RunningSandbox.StartAsync("--Sandbox:Replicate:MissingInput=Refuse");
        var replicate = sandbox.Replicate;
        await replicate.CreateModelAsync();
        var file = await replicate.UploadAsync(Zips.Photos(3));
        await replicate.SendAsync(HttpMethod.Delete, $"/v1/files/{file["id"]}");

        var refused = await replicate.TrainAsync(new JsonObject { ["input_images"] = file["urls"]!["get"]!.DeepClone() });

        Assert.Equal(422, refused.Status);
        Assert.Equal(0, (int)(await replicate.InvoiceAsync())["count"]!);
    }

    [Fact]
    public async Task Training_OfAnotherAccountsFile_Fails()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        var replicate = sandbox.Replicate;
        await replicate.CreateModelAsync();
        var file = await replicate.UploadAsync(Zips.Photos(3), token: ReplicateDriver.OtherToken);

        var created = await replicate.TrainAsync(new JsonObject { ["input_images"] = file["urls"]!["get"]!.DeepClone() });
        var training = await replicate.EndAsync((string)created["id"]!);

        Assert.DoesNotContain("signature", created.Text, StringComparison.Ordinal);
        Assert.Equal("failed", (string?)training["status"]);
    }

    [Fact]
    public async Task Training_OfADataUri_ReadsIt()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await sandbox.Replicate.CreateModelAsync();
        string uri = "data:application/zip;base64," + Convert.ToBase64String(Zips.Photos(5));

        var created = await sandbox.Replicate.TrainAsync(new JsonObject { ["input_images"] = uri });
        var training = await sandbox.Replicate.EndAsync((string)created["id"]!);

        Assert.Equal(uri, (string?)created["input"]!["input_images"]);
        Assert.Contains("Extracted 5 files", (string)training["logs"]!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Training_OfAUrlThatAnswers404_FailsBeforeItStarts()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        await using var web = await WebhookReceiver.StartAsync(_ => 404);
        await sandbox.Replicate.CreateModelAsync();

        var created = await sandbox.Replicate.TrainAsync(new JsonObject { ["input_images"] = web.Url });
        var training = await sandbox.Replicate.EndAsync((string)created["id"]!);

        Assert.Equal("Failed to download input_images: 404 Not Found", (string?)training["error"]);
        Assert.Null(training["metrics"]);
    }

    [Fact]
    public async Task Captions_InTheArchive_AreKeptAndTheOthersMade()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        byte[] zip = Zips.Of(("a.jpg", Zips.Jpeg), ("a.txt", Zips.Text("ANNA at the sea")), ("b.jpg", Zips.Jpeg));
        string id = await sandbox.Replicate.StartTrainingAsync(zip: zip, input: new JsonObject { ["autocaption_prefix"] = "portrait, " });

        string logs = (string)(await sandbox.Replicate.EndAsync(id))["logs"]!;

        Assert.Contains("Caption for input_images/b.jpg: portrait, a photo of TOK", logs, StringComparison.Ordinal);
        Assert.DoesNotContain("Caption for input_images/a.jpg", logs, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Leftovers_OfAMac_AreNotUnpacked()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        byte[] zip = Zips.Of(("a.jpg", Zips.Jpeg), ("__MACOSX/._a.jpg", Zips.Jpeg), ("._a.jpg", Zips.Jpeg), ("more/b.jpg", Zips.Jpeg));
        string id = await sandbox.Replicate.StartTrainingAsync(zip: zip);

        string logs = (string)(await sandbox.Replicate.EndAsync(id))["logs"]!;

        Assert.Contains("Extracted 2 files from zip to input_images", logs, StringComparison.Ordinal);
        Assert.Contains("Found 1 images", logs, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Regex_WithoutAMatch_FailsWithTheListOfLayers()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        string id = await sandbox.Replicate.StartTrainingAsync(input: new JsonObject { ["layers_to_optimize_regex"] = "nothing" });

        string error = (string)(await sandbox.Replicate.EndAsync(id))["error"]!;

        Assert.StartsWith("The regex 'nothing' didn't match any layers. These layers can be optimized:\n", error, StringComparison.Ordinal);
        Assert.Equal(495, error.Split('\n').Length);
    }

    [Fact]
    public async Task Secrets_InTheInput_AreNotEchoed()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        string id = await sandbox.Replicate.StartTrainingAsync(input: new JsonObject { ["hf_token"] = "hf_very_secret", ["hf_repo_id"] = "me/anna" });

        var training = await sandbox.Replicate.EndAsync(id);

        Assert.Equal("[REDACTED]", (string?)training["input"]!["hf_token"]);
        Assert.DoesNotContain("hf_very_secret", await File.ReadAllTextAsync(Path.Combine(sandbox.DataDirectory, "replicate", "journal.jsonl")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Cancel_BeforeTheStart_LeavesNoLogs()
    {
        await using var sandbox = await RunningSandbox.StartAsync("--Sandbox:SecondsPerTraining=300");
        string id = await sandbox.Replicate.StartTrainingAsync();

        var canceled = await sandbox.Replicate.PostAsync($"/v1/trainings/{id}/cancel");

        Assert.Equal(200, canceled.Status);
        Assert.Equal("canceled", (string?)canceled["status"]);
        Assert.Null(canceled["logs"]);
        Assert.True(canceled.Json.AsObject().ContainsKey("logs"));
        Assert.NotNull(canceled["completed_at"]);
        Assert.InRange((double)canceled["metrics"]!["predict_time"]!, 0, 0.001);
        Assert.Equal("canceled", (string?)(await sandbox.Replicate.InvoiceAsync())["runs"]![0]!["status"]);
    }

    [Fact]
    public async Task Cancel_WhileItTrains_EndsIt()
    {
        await using var sandbox = await RunningSandbox.StartAsync("--Sandbox:SecondsPerTraining=5");
        string id = await sandbox.Replicate.StartTrainingAsync();
        await sandbox.Replicate.UntilAsync(id, "processing");

        await sandbox.Replicate.PostAsync($"/v1/trainings/{id}/cancel");
        var again = await sandbox.Replicate.PostAsync($"/v1/trainings/{id}/cancel");

        Assert.Equal((200, "canceled"), (again.Status, (string?)again["status"]));
        Assert.Empty((await sandbox.Replicate.GetAsync("/v1/models/sandbox-user/anna/versions"))["results"]!.AsArray());
        Assert.Equal(404, (await sandbox.Replicate.PostAsync($"/v1/trainings/{id}/cancel", token: ReplicateDriver.OtherToken)).Status);
    }

    [Fact]
    public async Task Training_OfAnotherAccount_IsNotFound()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        string id = await sandbox.Replicate.StartTrainingAsync();

        Assert.Equal(404, (await sandbox.Replicate.GetAsync($"/v1/trainings/{id}", ReplicateDriver.OtherToken)).Status);
        Assert.Empty((await sandbox.Replicate.GetAsync("/v1/trainings", ReplicateDriver.OtherToken))["results"]!.AsArray());
        Assert.Equal(404, (await sandbox.Replicate.GetAsync($"/v1/predictions/{id}", ReplicateDriver.OtherToken)).Status);
    }

    [Fact]
    public async Task List_OfMoreThan100_IsPaged()
    {
        await using var sandbox = await RunningSandbox.StartAsync("--Sandbox:SecondsPerTraining=600");
        var replicate = sandbox.Replicate;
        await replicate.CreateModelAsync();
        var ids = new List<string>();
        for (int number = 0; number < 103; number++)
        {
            ids.Add((string)(await replicate.TrainAsync(new JsonObject { ["input_images"] = $"https://example.com/{number}.zip" }))["id"]!);
        }

        var first = await replicate.GetAsync("/v1/trainings");
        var second = await replicate.GetAsync((string)first["next"]!);

        Assert.Equal(100, first["results"]!.AsArray().Count);
        Assert.Equal(3, second["results"]!.AsArray().Count);
        Assert.Equal(Enumerable.Reverse(ids), first["results"]!.AsArray().Concat(second["results"]!.AsArray()).Select(training => (string)training!["id"]!));
        Assert.Null(second["next"]);
        Assert.False(first["results"]![0]!.AsObject().ContainsKey("logs"));
        Assert.Equal(404, (await replicate.GetAsync("/v1/trainings?cursor=nonsense")).Status);
    }

    [Fact]
    public async Task FastTrainer_HasInputsAndFileNamesOfItsOwn()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        var trainer = await sandbox.Replicate.GetAsync("/v1/models/replicate/fast-flux-trainer");
        string path = $"/v1/models/replicate/fast-flux-trainer/versions/{trainer["latest_version"]!["id"]}/trainings";

        string id = await sandbox.Replicate.StartTrainingAsync(path: path, input: new JsonObject { ["lora_type"] = "subject", ["training_steps"] = 200 });
        string wrong = await sandbox.Replicate.StartTrainingAsync(path: path, input: new JsonObject { ["lora_type"] = "cat" });

        Assert.Matches("/delivery/xezq/[A-Za-z0-9]+/flux-lora.tar$", (string)(await sandbox.Replicate.EndAsync(id))["output"]!["weights"]!);
        Assert.Contains("permitted: 'subject', 'style'", (string)(await sandbox.Replicate.EndAsync(wrong))["error"]!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Data_OfATraining_IsRemovedAfterAnHour()
    {
        await using var sandbox = await RunningSandbox.StartAsync();
        var replicate = sandbox.Replicate;
        string id = await replicate.StartTrainingAsync();
        string weights = (string)(await replicate.EndAsync(id))["output"]!["weights"]!;
        Assert.Equal(200, (await replicate.GetAsync(weights, token: null)).Status);

        await replicate.PostAsync("/admin/clock", new JsonObject { ["advance_seconds"] = 3700 }, token: null);

        var training = await replicate.TrainingAsync(id);
        Assert.True((bool)training["data_removed"]!);
        Assert.Equal("succeeded", (string?)training["status"]);
        Assert.NotNull(training["output"]!["version"]);
        Assert.Null(training["output"]!["weights"]);
        Assert.Equal(404, (await replicate.GetAsync(weights, token: null)).Status);
    }

    [GeneratedRegex(@"flux_train_replicate:\s+(?<percent>\d+)%\|[^|]*\|\s*(?<steps>\d+/\d+)\s+\[([^<\]]*)<([^,\]]*),\s*([^,\]]+)(?:,\s*lr:\s*(\S+)\s+loss:\s*(\S+))?")]
    private static partial Regex ProgressPattern();
}
