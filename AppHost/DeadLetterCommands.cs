using System.Net.Http.Headers;

namespace Flurrty.AppHost;

/// <summary>The operator's dead letters as commands of the broker: they ask the gateway, as an operator anywhere else does.</summary>
internal static class DeadLetterCommands
{
    private const string Queue = "queue";
    private const string MessageId = "message-id";

    // The gateway runs here: a proxy would get the operator's key.
    private static readonly HttpClient Client = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = TimeSpan.FromSeconds(30) };

    public static IResourceBuilder<IResource> WithDeadLetterCommands(this IResourceBuilder<IResource> broker, IResourceBuilder<ProjectResource> gateway, Keys keys)
    {
        broker.WithCommand(
            "dead-letters",
            "Show dead letters",
            context => SendAsync(HttpMethod.Get, "", "What no consumer could take", context.CancellationToken),
            new CommandOptions
            {
                Description = "What no consumer could take: queue, message, exception and age, never its content",
                IconName = "MailAlert",
                UpdateState = WhileRunning,
            });
        broker.WithCommand(
            "dead-letter-replay",
            "Replay a dead letter",
            context => SendAsync(HttpMethod.Post, $"{LetterOf(context)}/replay", "It is in its queue again", context.CancellationToken),
            new CommandOptions
            {
                Description = "Put a message back into the queue that it came from",
                ConfirmationMessage = "Put the message back into its queue? Its consumer tries again at once.",
                IconName = "MailArrowUp",
                Arguments = Letter(),
                ValidateArguments = CheckLetterAsync,
                UpdateState = WhileRunning,
            });
        return broker.WithCommand(
            "dead-letter-drop",
            "Drop a dead letter",
            context => SendAsync(HttpMethod.Delete, LetterOf(context), "It is gone", context.CancellationToken),
            new CommandOptions
            {
                Description = "Remove a message for good",
                ConfirmationMessage = "Remove the message for good? Nothing brings it back.",
                IconName = "MailOff",
                Arguments = Letter(),
                ValidateArguments = CheckLetterAsync,
                UpdateState = WhileRunning,
            });

        async Task<ExecuteCommandResult> SendAsync(HttpMethod method, string letter, string done, CancellationToken cancellationToken)
        {
            try
            {
                using var request = new HttpRequestMessage(method, new Uri($"{gateway.GetEndpoint("http").Url}/api/operator/dead-letters{letter}"));
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", keys.OperatorKey);
                using var answer = await Client.SendAsync(request, cancellationToken);
                var body = await answer.Content.ReadAsStringAsync(cancellationToken);
                return answer.IsSuccessStatusCode
                    ? CommandResults.Success(done, body.Length == 0 ? "{}" : body, CommandResultFormat.Json, displayImmediately: method == HttpMethod.Get)
                    : CommandResults.Failure($"The gateway answered {(int)answer.StatusCode}.", body.Length == 0 ? "{}" : body, CommandResultFormat.Json);
            }
            catch (Exception exception) when (exception is HttpRequestException or InvalidOperationException
                || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested))
            {
                return CommandResults.Failure("The gateway cannot be reached.");
            }
        }
    }

    private static InteractionInput[] Letter() =>
    [
        new InteractionInput { Name = Queue, Label = "Queue", Description = "As shown, such as train-identity_error", InputType = InputType.Text, Required = true },
        new InteractionInput { Name = MessageId, Label = "Message id", InputType = InputType.Text, Required = true },
    ];

    private static string LetterOf(ExecuteCommandContext context) =>
        $"/{Uri.EscapeDataString(context.Arguments.GetString(Queue) ?? "")}/{context.Arguments.GetString(MessageId)?.Trim()}";

    private static Task CheckLetterAsync(InputsDialogValidationContext context)
    {
        if (!Guid.TryParse(context.Inputs.GetString(MessageId), out _))
        {
            context.AddValidationError(context.Inputs[MessageId], "A message id is a UUID.");
        }

        return Task.CompletedTask;
    }

    private static ResourceCommandState WhileRunning(UpdateCommandStateContext context) =>
        context.ResourceSnapshot.State?.Text == KnownResourceStates.Running ? ResourceCommandState.Enabled : ResourceCommandState.Disabled;
}
