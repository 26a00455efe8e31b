using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;

namespace Flurrty.LocalAspire.Tests;

/// <summary>Values that are known later, and how resources are described; nothing is started.</summary>
public sealed class ExpressionTests
{
    [Fact]
    public async Task Expression_OverParametersAndEndpoints_FillsItsHoles()
    {
        using var builder = DistributedApplicationTestingBuilder.Create("--Parameters:user=me");
        var user = builder.AddParameter("user");
        var web = builder.AddExecutable("web", "true", "/").WithHttpEndpoint();
        var annotation = web.GetEndpoint("http").EndpointAnnotation;
        var expression = ReferenceExpression.Create($"{{{web.GetEndpoint("http")}}}?user={user}&host={annotation.TargetHost}");
        Assert.Equal("{{web.bindings.http.url}}?user={user.value}&host=localhost", expression.ValueExpression);

        annotation.AllocatedEndpoint = new AllocatedEndpoint(annotation, "localhost", 4711, "8080");
        Assert.Equal("{http://localhost:4711}?user=me&host=localhost", await expression.GetValueAsync(CancellationToken.None));
    }

    [Fact]
    public async Task Endpoint_BeforeItIsPlaced_IsWaitedFor()
    {
        using var builder = DistributedApplicationTestingBuilder.Create();
        var web = builder.AddExecutable("web", "true", "/").WithHttpEndpoint();
        var endpoint = web.GetEndpoint("http");
        Assert.Throws<InvalidOperationException>(() => endpoint.Url);
        var value = endpoint.Property(EndpointProperty.HostAndPort).GetValueAsync(Deadline.In(20)).AsTask();
        Assert.False(value.IsCompleted);
        endpoint.EndpointAnnotation.AllocatedEndpoint = new AllocatedEndpoint(endpoint.EndpointAnnotation, "localhost", 4711);
        Assert.Equal("localhost:4711", await value);
        Assert.Equal("127.0.0.1", await endpoint.Property(EndpointProperty.IPV4Host).GetValueAsync());
    }

    [Fact]
    public async Task Parameter_WithAHyphen_IsReadFromEitherSpelling()
    {
        using var builder = DistributedApplicationTestingBuilder.Create("--Parameters:api_token=abc");
        Assert.Equal("abc", await builder.AddParameter("api-token", secret: true).Resource.GetValueAsync(CancellationToken.None));
        await Assert.ThrowsAsync<MissingParameterValueException>(async () => await builder.AddParameter("not-there").Resource.GetValueAsync(CancellationToken.None));
    }

    [Fact]
    public async Task Parameter_WithAGeneratedDefault_KeepsItsValueAndItsRules()
    {
        using var builder = DistributedApplicationTestingBuilder.Create();
        var rules = new GenerateParameterDefault { MinLength = 40, Special = false, MinUpper = 3, MinNumeric = 4 };
        var parameter = builder.AddParameter("generated", rules, secret: true).Resource;
        var value = await parameter.GetValueAsync(CancellationToken.None);
        Assert.Equal(value, await parameter.GetValueAsync(CancellationToken.None));
        Assert.NotEqual(value, rules.GetDefaultValue());
        Assert.Equal(40, value!.Length);
        Assert.True(value.Count(char.IsAsciiLetterUpper) >= 3, value);
        Assert.True(value.Count(char.IsAsciiDigit) >= 4, value);
        Assert.All(value, c => Assert.True(char.IsAsciiLetterOrDigit(c), value));
    }

    [Fact]
    public void Description_ThatCannotWork_IsRefused()
    {
        using var builder = DistributedApplicationTestingBuilder.Create();
        var web = builder.AddExecutable("web", "true", "/").WithHttpEndpoint();
        Assert.Throws<DistributedApplicationException>(() => builder.AddExecutable("WEB", "true", "/"));
        Assert.Throws<DistributedApplicationException>(() => web.WithHttpEndpoint());
        Assert.Throws<DistributedApplicationException>(() => web.WaitFor(web));
        Assert.Throws<DistributedApplicationException>(() => web.WithHttpHealthCheck("/", endpointName: "other"));
        Assert.Throws<ArgumentException>(() => builder.AddExecutable("not a name", "true", "/"));
        Assert.Throws<ArgumentException>(() => builder.AddExecutable("1st", "true", "/"));
    }

    [Fact]
    public async Task AppHost_ThatThrows_FailsTheTestWithItsReason()
    {
        var error = await Assert.ThrowsAsync<DistributedApplicationException>(() =>
            DistributedApplicationTestingBuilder.CreateAsync<Projects.Fixture_AppHost>(["--Fixture:Throw=true"], Deadline.In(30)));
        Assert.Equal("the fixture was asked to throw", error.Message);
    }

    [Fact]
    public async Task AppHost_NotBuilt_IsLetGo()
    {
        var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.Fixture_AppHost>(Deadline.In(30));
        Assert.Equal("hello", await ((ParameterResource)builder.Resources.Single(r => r.Name == "greeting")).GetValueAsync(CancellationToken.None));
        await builder.DisposeAsync();
        await Assert.ThrowsAsync<DistributedApplicationException>(() => builder.BuildAsync(Deadline.In(10)));
    }
}
