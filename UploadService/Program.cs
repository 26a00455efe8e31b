using Flurrty.ServiceDefaults;
using Flurrty.ServiceDefaults.Data;
using Flurrty.ServiceDefaults.Storage;
using Flurrty.ServiceDefaults.Tickets;
using Flurrty.UploadService;
using Flurrty.UploadService.Consents;
using Flurrty.UploadService.Datasets;
using Flurrty.UploadService.Persistence;
using Flurrty.UploadService.PhotoSets;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddCallerTickets();
builder.AddTenantDatabase<UploadsContext>(UploadsContext.Name);
builder.AddObjectStore("photos");
builder.AddImaging();
builder.AddPhotoSets();
builder.AddConsents();
builder.AddDatasets();

var app = builder.Build();
app.MapDefaultEndpoints();
app.MapOpenApi().AllowAnonymous();
app.MapPhotoSets();
app.MapPhotos();
app.MapConsents();
app.MapSeals();
app.MapDatasets();
app.Run();
