using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

var builder = DistributedApplication.CreateBuilder(args);

if (builder.Configuration["Fixture:EndWith"] is { } tests)
{
    // A test run that is killed is to leave nothing behind.
    _ = Task.Run(async () =>
    {
        while (Directory.Exists($"/proc/{tests}"))
        {
            await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System);
        }

        Environment.Exit(1);
    });
}

// Braces mean something to the orchestrator; a password may hold them all the same.
var password = builder.AddParameter("password", "s3cret{{\"x\"}}", secret: true);
var greeting = builder.AddParameter("greeting");
var files = builder.AddExecutable("files", "python3", "/", "-u", "-m", "http.server", "--bind", "127.0.0.1")
    .WithHttpEndpoint(port: 18901, env: "PORT")
    .WithArgs(context => context.Args.Add(((ExecutableResource)context.Resource).GetEndpoint("http").Property(EndpointProperty.TargetPort)))
    .WithHttpHealthCheck("/");
var store = builder.AddConnectionString("store", ReferenceExpression.Create($"Endpoint={files.GetEndpoint("http")};Password={password}"));
var once = builder.AddExecutable("once", "sh", ".", "-c", "echo done");

var web = builder.AddProject<Projects.Fixture_Web>("web")
    .WithHttpEndpoint()
    .WithHttpHealthCheck("/health")
    .WithUrl("/env", "Variables")
    .WithEnvironment("PASSWORD", password)
    .WithEnvironment("GREETING", greeting)
    .WithReference(store)
    .WithReference(files.GetEndpoint("http"))
    .WaitFor(files)
    .WaitForCompletion(once);
builder.AddProject<Projects.Fixture_Web>("front")
    .WithHttpEndpoint()
    .WithHttpHealthCheck("/health")
    .WithReference(web)
    .WithReplicas(2);
builder.AddExecutable("later", "sleep", ".", "600").WithExplicitStart();

if (builder.Configuration["Fixture:Throw"] == "true")
{
    throw new InvalidOperationException("the fixture was asked to throw");
}

if (builder.Configuration["Fixture:Hold"] == "true")
{
    // Something that never ends, and somebody who waits for its end.
    var endless = builder.AddExecutable("endless", "sleep", ".", "600");
    builder.AddExecutable("held", "sleep", ".", "600").WaitForCompletion(endless);
}

builder.Build().Run();
