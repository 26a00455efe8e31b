using Aspire.Hosting.ApplicationModel;
using Google.Protobuf.WellKnownTypes;

namespace Aspire.Hosting.Dashboard;

/// <summary>Puts what is known about a resource into the dashboard's protocol.</summary>
internal static class WireMapping
{
    /// <summary>The protocol cannot mark a variable as sensitive, so a secret one is not sent at all.</summary>
    internal const string Hidden = "(secret: not sent to the dashboard)";

    internal static Wire.Resource ToWire(ResourceEvent change)
    {
        var snapshot = change.Snapshot;
        var resource = new Wire.Resource
        {
            Name = change.ResourceId,
            ResourceType = snapshot.ResourceType,
            DisplayName = change.Resource.Name,
            Uid = change.ResourceId,
            State = snapshot.State?.Text ?? string.Empty,
            StateStyle = snapshot.State?.Style ?? string.Empty,
            IsHidden = snapshot.IsHidden,
            CreatedAt = Time(snapshot.CreationTimeStamp),
            StartedAt = Time(snapshot.StartTimeStamp),
            StoppedAt = Time(snapshot.StopTimeStamp),
        };
        if (snapshot.IconName is not null)
        {
            resource.IconName = snapshot.IconName;
            resource.IconVariant = Icon(snapshot.IconVariant);
        }

        resource.Environment.AddRange(snapshot.EnvironmentVariables.Select(v => new Wire.EnvironmentVariable
        {
            Name = v.Name,
            Value = v.IsSensitive ? Hidden : v.Value ?? string.Empty,
            IsFromSpec = v.IsFromSpec,
        }));
        resource.Properties.AddRange(WellKnownProperties(change).Concat(snapshot.Properties).Select(ToWire));
        resource.Commands.AddRange(snapshot.Commands.Select(ToWire));
        resource.Urls.AddRange(snapshot.Urls.Select(ToWire));
        resource.HealthReports.AddRange(snapshot.HealthReports.Select(ToWire));
        resource.Relationships.AddRange(snapshot.Relationships.Select(r => new Wire.ResourceRelationship { ResourceName = r.ResourceName, Type = r.Type }));
        return resource;
    }

    private static IEnumerable<ResourcePropertySnapshot> WellKnownProperties(ResourceEvent change)
    {
        var snapshot = change.Snapshot;
        yield return new("resource.uid", change.ResourceId);
        yield return new("resource.name", change.ResourceId);
        yield return new("resource.type", snapshot.ResourceType);
        yield return new("resource.displayName", change.Resource.Name);
        yield return new("resource.state", snapshot.State?.Text);
        yield return new("resource.exitCode", snapshot.ExitCode?.ToString(System.Globalization.CultureInfo.InvariantCulture));
        yield return new("resource.createTime", Text(snapshot.CreationTimeStamp));
        yield return new("resource.startTime", Text(snapshot.StartTimeStamp));
        yield return new("resource.stopTime", Text(snapshot.StopTimeStamp));
        yield return new("resource.healthState", snapshot.HealthStatus?.ToString());

        static string? Text(DateTime? time) => time?.ToString("O", System.Globalization.CultureInfo.InvariantCulture);
    }

    private static Wire.ResourceProperty ToWire(ResourcePropertySnapshot property) => new()
    {
        Name = property.Name,
        Value = ToValue(property.Value),
        IsSensitive = property.IsSensitive,
    };

    private static Wire.ResourceCommand ToWire(ResourceCommandSnapshot command) => new()
    {
        Name = command.Name,
        DisplayName = command.DisplayName,
        DisplayDescription = command.DisplayDescription ?? string.Empty,
        ConfirmationMessage = command.ConfirmationMessage ?? string.Empty,
        IconName = command.IconName ?? string.Empty,
        IconVariant = Icon(command.IconVariant),
        IsHighlighted = command.IsHighlighted,
        State = command.State switch
        {
            ResourceCommandState.Enabled => Wire.ResourceCommandState.Enabled,
            ResourceCommandState.Disabled => Wire.ResourceCommandState.Disabled,
            _ => Wire.ResourceCommandState.Hidden,
        },
    };

    private static Wire.Url ToWire(UrlSnapshot url)
    {
        var mapped = new Wire.Url
        {
            FullUrl = url.Url,
            IsInternal = url.IsInternal,
            IsInactive = url.IsInactive,
            DisplayProperties = new Wire.UrlDisplayProperties { DisplayName = url.DisplayProperties.DisplayName, SortOrder = url.DisplayProperties.SortOrder },
        };
        if (url.Name is not null)
        {
            mapped.EndpointName = url.Name;
        }

        return mapped;
    }

    private static Wire.HealthReport ToWire(HealthReportSnapshot report)
    {
        var mapped = new Wire.HealthReport
        {
            Key = report.Name,
            Description = report.Description ?? string.Empty,
            Exception = report.ExceptionText ?? string.Empty,
            LastRunAt = Time(report.LastRunAt),
        };
        if (report.Status is { } status)
        {
            mapped.Status = status switch
            {
                Microsoft.Extensions.Diagnostics.HealthChecks.HealthStatus.Healthy => Wire.HealthStatus.Healthy,
                Microsoft.Extensions.Diagnostics.HealthChecks.HealthStatus.Degraded => Wire.HealthStatus.Degraded,
                _ => Wire.HealthStatus.Unhealthy,
            };
        }

        return mapped;
    }

    private static Wire.IconVariant Icon(IconVariant? variant) => variant == IconVariant.Filled ? Wire.IconVariant.Filled : Wire.IconVariant.Regular;

    private static Timestamp? Time(DateTime? time) => time is { } known ? Timestamp.FromDateTime(known.ToUniversalTime()) : null;

    private static Value ToValue(object? value) => value switch
    {
        null => Value.ForNull(),
        string text => Value.ForString(text),
        bool truth => Value.ForBool(truth),
        int number => Value.ForNumber(number),
        IEnumerable<string> texts => Value.ForList([.. texts.Select(Value.ForString)]),
        IEnumerable<int> numbers => Value.ForList([.. numbers.Select(n => Value.ForNumber(n))]),
        _ => Value.ForString(value.ToString()),
    };
}
