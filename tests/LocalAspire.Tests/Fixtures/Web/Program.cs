// A service that tells about itself: its process, its variables, its health, which can be changed from outside.
var builder = WebApplication.CreateSlimBuilder(args);
var app = builder.Build();
var healthy = true;
app.MapGet("/", () => Environment.ProcessId.ToString());
app.MapGet("/env/{name}", (string name) => Environment.GetEnvironmentVariable(name) ?? "(none)");
app.MapGet("/env", () => Environment.GetEnvironmentVariables());
app.MapGet("/health", () => healthy ? Results.Ok() : Results.StatusCode(503));
app.MapPost("/health/{state}", (string state) => { healthy = state == "good"; });
app.MapPost("/exit/{code:int}", (int code) => Environment.Exit(code));
app.MapGet("/log/{text}", (string text, ILogger<Program> logger) => logger.LogInformation("{Text}", text));
app.Run();
