using Flurrty.Gateway.Accounts;
using Flurrty.Gateway.Documents;
using Flurrty.Gateway.Limits;
using Flurrty.Gateway.Proxies;
using Flurrty.Gateway.Routing;
using Flurrty.ServiceDefaults;
using Microsoft.Extensions.Options;

var builder = WebApplication.CreateSlimBuilder(args);
builder.AddServiceDefaults();
builder.AddProxies();
builder.AddApiKeys();
builder.AddLimits();
builder.AddServerLimits();
builder.AddRouting();
builder.AddDocuments();

var app = builder.Build();
app.Services.GetRequiredService<IStartupValidator>().Validate();
app.UseCallerAddress();
app.UseAddressLimit();
app.MapDefaultEndpoints();
app.UseAccountLimit();
app.MapDocuments();
app.MapRoutes();
await app.RunAsync();
