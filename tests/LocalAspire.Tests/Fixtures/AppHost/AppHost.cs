using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

var builder = DistributedApplication.CreateBuilder(args);

var password = builder.AddParameter("password", "s3cret{{x}}", secret: true);
var files = builder.AddExecutable("files", "python3", "/", "-m", "http.server", "--bind", "127.0.0.1")
    .WithHttpEndpoint(env: "PORT")
    .WithArgs(context => context.Args.Add(((ExecutableResource)context.Resource).GetEndpoint("http").Property(EndpointProperty.TargetPort)))
    .WithHttpHealthCheck("/");
var store = builder.AddConnectionString("store", ReferenceExpression.Create($"Endpoint={files.GetEndpoint("http")};Password={password}"));
var once = builder.AddExecutable("once", "sh", ".", "-c", "echo done; exit 0");
builder.AddProject<Projects.Fixture_Web>("web")
    .WithHttpEndpoint()
    .WithHttpHealthCheck("/health")
    .WithEnvironment("PASSWORD", password)
    .WithReference(store)
    .WaitFor(files)
    .WaitForCompletion(once);
builder.AddProject<Projects.Fixture_Web>("front")
    .WithHttpEndpoint()
    .WithHttpHealthCheck("/health")
    .WithReplicas(2);

builder.Build().Run();
