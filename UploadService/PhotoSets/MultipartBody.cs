using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Flurrty.UploadService.PhotoSets;

/// <summary>Marks an endpoint that reads its form by itself, so that the API's description still shows the form.</summary>
internal sealed class MultipartBody;

/// <summary>Describes the form of the endpoints marked with <see cref="MultipartBody"/>.</summary>
internal sealed class MultipartBodyDescription : IOpenApiOperationTransformer
{
    public Task TransformAsync(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken cancellationToken)
    {
        if (context.Description.ActionDescriptor.EndpointMetadata.OfType<MultipartBody>().Any())
        {
            var photo = new OpenApiSchema { Type = JsonSchemaType.String, Format = "binary" };
            operation.RequestBody = new OpenApiRequestBody
            {
                Required = true,
                Description = "The photos.",
                Content = new Dictionary<string, OpenApiMediaType>(StringComparer.Ordinal)
                {
                    ["multipart/form-data"] = new OpenApiMediaType
                    {
                        Schema = new OpenApiSchema
                        {
                            Type = JsonSchemaType.Object,
                            Required = new HashSet<string>(StringComparer.Ordinal) { "photos" },
                            Properties = new Dictionary<string, IOpenApiSchema>(StringComparer.Ordinal)
                            {
                                ["photos"] = new OpenApiSchema { Type = JsonSchemaType.Array, Items = photo, MinItems = 1 },
                            },
                        },
                    },
                },
            };
        }

        return Task.CompletedTask;
    }
}
