using Flurrty.Sandbox;

await using var app = SandboxApplication.Create(args);
await app.RunAsync();
