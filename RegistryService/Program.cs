using Flurrty.RegistryService.DeadLetters;
using Flurrty.RegistryService.Identities;
using Flurrty.RegistryService.Persistence;
using Flurrty.RegistryService.Versions;
using Flurrty.ServiceDefaults;
using Flurrty.ServiceDefaults.Data;
using Flurrty.ServiceDefaults.Http;
using Flurrty.ServiceDefaults.Tickets;

var builder = WebApplication.CreateSlimBuilder(args);
builder.AddServiceDefaults();
builder.AddCallerTickets();
builder.AddTenantDatabase<RegistryDbContext>(RegistryDbContext.DatabaseName);
builder.AddVersions();
builder.AddIdentities();
builder.AddDeadLetters();
builder.Services.AddOpenApi();

var app = builder.Build();
app.MapDefaultEndpoints();
app.UseJsonBodies();
app.MapOpenApi().AllowAnonymous();
app.MapIdentities();
app.MapDeadLetters();
await app.RunAsync();
