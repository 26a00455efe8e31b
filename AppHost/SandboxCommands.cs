using System.Net.Http.Headers;
using System.Text.Json.Nodes;

namespace Flurrty.AppHost;

/// <summary>The Sandbox's admin API as commands on the dashboard.</summary>
internal static class SandboxCommands
{
    /// <summary>Shows what the Sandbox would have billed, makes it misbehave, and ends that.</summary>
    public static IResourceBuilder<ProjectResource> WithSandboxCommands(this IResourceBuilder<ProjectResource> sandbox, IResourceBuilder<ParameterResource> adminToken)
    {
        sandbox.WithHttpCommand("/admin/invoice", "Show the invoice", commandName: "invoice", commandOptions: new HttpCommandOptions
        {
            Method = HttpMethod.Get,
            Description = "Every run that the real service would have billed",
            IconName = "Receipt",
            PrepareRequest = AuthorizeAsync,
            ResultMode = HttpCommandResultMode.Json,
        });
        sandbox.WithHttpCommand("/admin/faults", "Misbehave", commandName: "fault", commandOptions: new HttpCommandOptions
        {
            Description = "Answer the next requests with an error, as a provider in trouble does",
            IconName = "Bug",
            Arguments =
            [
                new InteractionInput { Name = "path", Label = "Requests to", InputType = InputType.Text, Value = "/v1/trainings/*", Required = true },
                new InteractionInput { Name = "status", Label = "HTTP status", InputType = InputType.Number, Value = "503", Required = true },
                new InteractionInput { Name = "times", Label = "How many", InputType = InputType.Number, Value = "3", Required = true },
            ],
            ValidateArguments = static context =>
            {
                if (context.Inputs.GetInt32("status") is not (>= 400 and <= 599))
                {
                    context.AddValidationError(context.Inputs["status"], "An error's status lies between 400 and 599.");
                }

                if (context.Inputs.GetInt32("times") is not (>= 1 and <= 1000))
                {
                    context.AddValidationError(context.Inputs["times"], "Between 1 and 1000.");
                }

                return Task.CompletedTask;
            },
            PrepareRequest = async context =>
            {
                await AuthorizeAsync(context);
                context.Request.Content = new StringContent(
                    new JsonObject
                    {
                        ["path"] = context.Arguments.GetString("path"),
                        ["count"] = context.Arguments.GetInt32("times"),
                        ["action"] = new JsonObject { ["kind"] = "answer", ["status"] = context.Arguments.GetInt32("status"), ["body"] = new JsonObject { ["detail"] = "Asked for on the dashboard." } },
                    }.ToJsonString(),
                    new MediaTypeHeaderValue("application/json"));
            },
            ResultMode = HttpCommandResultMode.Json,
        });
        return sandbox.WithHttpCommand("/admin/faults", "Behave again", commandName: "no-faults", commandOptions: new HttpCommandOptions
        {
            Method = HttpMethod.Delete,
            Description = "Remove every fault that was asked for",
            ConfirmationMessage = "Remove every fault? Held requests are let go.",
            IconName = "ShieldCheckmark",
            PrepareRequest = AuthorizeAsync,
        });

        async Task AuthorizeAsync(HttpCommandRequestContext context) =>
            context.Request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", await adminToken.Resource.GetValueAsync(context.CancellationToken));
    }
}
