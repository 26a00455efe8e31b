using System.Text.Json;
using Flurrty.RegistryService.Identities;

namespace Flurrty.RegistryService.Tests.Identities;

public sealed class IdentityRequestTests
{
    private const string Set = "\"photo_set_id\":\"0193b5a0-0000-7000-8000-000000000001\"";

    [Fact]
    public void Read_OnlyWhatIsNeeded_TakesTheDefaults()
    {
        var identity = Accept($$"""{"name":"  Dad ",{{Set}}}""");
        Assert.Equal("Dad", identity.Name);
        Assert.Equal(Guid.Parse("0193b5a0-0000-7000-8000-000000000001"), identity.PhotoSetId);
        Assert.Equal("auto", identity.Provider);
        Assert.Null(identity.TriggerWord);
        Assert.Null(identity.Customization);
        Assert.Equal(new TrainingConfig("standard", 1000, 16, 0.0004, "512,768,1024"), identity.Training);
    }

    [Theory]
    [InlineData("economy", 500, 16, null, "512")]
    [InlineData("standard", 1000, 16, 0.0004, "512,768,1024")]
    [InlineData("high", 2000, 32, 0.0002, "512,768,1024")]
    [InlineData("portrait", 1500, 16, null, "768,1024")]
    public void Read_Preset_GivesItsParameters(string preset, int steps, int rank, double? learningRate, string resolution) => Assert.Equal(
        new TrainingConfig(preset, steps, rank, learningRate, resolution), Accept($$"""{"name":"Dad",{{Set}},"preset":"{{preset}}"}""").Training);

    [Theory]
    [InlineData("\"training\":{\"steps\":700,\"rank\":8,\"learning_rate\":0.001,\"resolution\":\"768,512\"}")]
    [InlineData("\"steps\":700,\"rank\":8,\"learning_rate\":1e-3,\"resolution\":[512,768]")]
    [InlineData("\"steps\":700,\"training\":{\"rank\":8,\"learning_rate\":0.001,\"resolution\":\"512, 768\"}")]
    public void Read_ParametersNestedOrFlat_MeanTheSame(string parameters)
    {
        var identity = Accept($$"""{"name":"Dad",{{Set}},{{parameters}}}""");
        Assert.Equal(new TrainingConfig("standard", 700, 8, 0.001, "512,768"), identity.Training);
        var nested = Accept($$"""{{{Set}},"training":{"resolution":"512,768","learning_rate":0.0010,"rank":8,"steps":700},"name":"Dad"}""");
        Assert.Equal(nested.Fingerprint(), identity.Fingerprint());
    }

    [Fact]
    public void Fingerprint_AnotherMeaning_Differs()
    {
        var one = Accept($$"""{"name":"Dad",{{Set}}}""").Fingerprint();
        string[] others =
        [
            $$"""{"name":"Mum",{{Set}}}""",
            $$"""{"name":"Dad",{{Set}},"steps":1001}""",
            $$"""{"name":"Dad",{{Set}},"trigger_word":"dad"}""",
            $$"""{"name":"Dad",{{Set}},"customization":{} }""",
            $$"""{"name":"Dad",{{Set}},"provider":"replicate"}""",
        ];
        Assert.All(others, other => Assert.NotEqual(one, Accept(other).Fingerprint()));
    }

    [Theory]
    [InlineData("""{"photo_set_id":"x"}""", "invalid_name name", "invalid_photo_set_id photo_set_id")]
    [InlineData("""{"name":7,"photo_set_id":7}""", "invalid_name name", "invalid_photo_set_id photo_set_id")]
    [InlineData("[]", "invalid_json ")]
    [InlineData("\"text\"", "invalid_json ")]
    public void Read_WhatIsNeededIsMissing_IsRefused(string json, params string[] errors) => AssertRefused(json, errors);

    [Theory]
    [InlineData("\"\"")]
    [InlineData("\"   \"")]
    [InlineData("\"---\"")]
    [InlineData("\"a\\nb\"")]
    [InlineData("\"a\\u0000b\"")]
    [InlineData("\"a\\u202eb\"")]
    [InlineData("\"\\ud800\"")]
    [InlineData("\"a23456789012345678901234567890123456789012345678901234567890abcde\"")]
    [InlineData("[]")]
    public void Read_Name_IsRefused(string name) => AssertRefused($$"""{"name":{{name}},{{Set}}}""", "invalid_name name");

    [Theory]
    [InlineData("D")]
    [InlineData("Zoë Ωmega 李")]
    [InlineData("O'Brien & Söhne (2.)")]
    [InlineData("a2345678901234567890123456789012345678901234567890123456789012 4")]
    public void Read_Name_IsTaken(string name) => Assert.Equal(name, Accept($$"""{"name":"{{name}}",{{Set}}}""").Name);

    [Theory]
    [InlineData("tok", true)]
    [InlineData("Tok_1-x", true)]
    [InlineData("ab", true)]
    [InlineData("a2345678901234567890123456789012", true)]
    [InlineData("a23456789012345678901234567890123", false)]
    [InlineData("a", false)]
    [InlineData("1abc", false)]
    [InlineData("_abc", false)]
    [InlineData("a b", false)]
    [InlineData("tok\\n", false)]
    [InlineData("tök", false)]
    public void Read_TriggerWord_FollowsItsPattern(string word, bool valid)
    {
        var json = $$"""{"name":"Dad",{{Set}},"trigger_word":"{{word}}"}""";
        if (valid)
        {
            Assert.Equal(word, Accept(json).TriggerWord);
        }
        else
        {
            AssertRefused(json, "invalid_trigger_word trigger_word");
        }
    }

    [Theory]
    [InlineData("\"preset\":\"ultra\"", "unknown_preset preset")]
    [InlineData("\"preset\":1", "unknown_preset preset")]
    [InlineData("\"provider\":\"acme\"", "unknown_provider provider")]
    [InlineData("\"provider\":\"Replicate\"", "unknown_provider provider")]
    [InlineData("\"training\":7", "invalid_training training")]
    [InlineData("\"steps\":2", "training_out_of_range steps")]
    [InlineData("\"steps\":6001", "training_out_of_range steps")]
    [InlineData("\"steps\":10.5", "training_out_of_range steps")]
    [InlineData("\"steps\":\"1000\"", "training_out_of_range steps")]
    [InlineData("\"steps\":99999999999999999999", "training_out_of_range steps")]
    [InlineData("\"training\":{\"rank\":0}", "training_out_of_range training.rank")]
    [InlineData("\"training\":{\"rank\":129}", "training_out_of_range training.rank")]
    [InlineData("\"learning_rate\":0", "training_out_of_range learning_rate")]
    [InlineData("\"learning_rate\":0.011", "training_out_of_range learning_rate")]
    [InlineData("\"learning_rate\":1e999", "training_out_of_range learning_rate")]
    [InlineData("\"resolution\":\"\"", "training_out_of_range resolution")]
    [InlineData("\"resolution\":\"500\"", "training_out_of_range resolution")]
    [InlineData("\"resolution\":\"512,512\"", "training_out_of_range resolution")]
    [InlineData("\"resolution\":\"128\"", "training_out_of_range resolution")]
    [InlineData("\"resolution\":1600", "training_out_of_range resolution")]
    [InlineData("\"resolution\":[]", "training_out_of_range resolution")]
    [InlineData("\"resolution\":[\"512\"]", "training_out_of_range resolution")]
    [InlineData("\"resolution\":\"256,320,384,448,512,576\"", "training_out_of_range resolution")]
    [InlineData("\"resolution\":{}", "training_out_of_range resolution")]
    [InlineData("\"colour\":1", "unknown_field colour")]
    [InlineData("\"training\":{\"epochs\":1}", "unknown_field training.epochs")]
    [InlineData("\"\\ud800\":1", "unknown_field \uFFFD")]
    [InlineData("\"steps\":5,\"training\":{\"steps\":5}", "duplicate_field training.steps")]
    [InlineData("\"customization\":\"x\"", "invalid_customization customization")]
    [InlineData("\"customization\":{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":1}}}}}", null)]
    [InlineData("\"customization\":{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":{}}}}}}", "invalid_customization customization")]
    [InlineData("\"customization\":{\"a\":[[[[[]]]]]}", "invalid_customization customization")]
    [InlineData("\"customization\":{\"a\":\"\\u0000\"}", "invalid_customization customization")]
    [InlineData("\"customization\":{\"a\\u0000\":1}", "invalid_customization customization")]
    [InlineData("\"customization\":{\"a\":[\"\\udc00\"]}", "invalid_customization customization")]
    public void Read_Field_IsRefusedByName(string field, string? error)
    {
        var json = $$"""{"name":"Dad",{{Set}},{{field}}}""";
        if (error is null)
        {
            Accept(json);
        }
        else
        {
            AssertRefused(json, error);
        }
    }

    [Theory]
    [InlineData(16 * 1024, true)]
    [InlineData((16 * 1024) + 1, false)]
    public void Read_Customization_HasAtMostSixteenKilobytes(int bytes, bool valid)
    {
        var customization = "{\"a\":\"" + new string('x', bytes - 8) + "\"}";
        Assert.Equal(bytes, customization.Length);
        var json = $$"""{"name":"Dad",{{Set}},"customization":{{customization}}}""";
        if (valid)
        {
            Assert.Equal(customization, Accept(json).Customization);
        }
        else
        {
            AssertRefused(json, "invalid_customization customization");
        }
    }

    [Fact]
    public void Read_ManyFaults_NamesThemAll() => AssertRefused(
        """{"name":"","photo_set_id":"?","preset":"x","provider":"y","trigger_word":"1","steps":1,"training":{"rank":0,"colour":"red"},"size":3,"customization":[]}""",
        "unknown_field size",
        "unknown_field training.colour",
        "invalid_name name",
        "invalid_photo_set_id photo_set_id",
        "unknown_provider provider",
        "invalid_trigger_word trigger_word",
        "unknown_preset preset",
        "training_out_of_range steps",
        "training_out_of_range training.rank",
        "invalid_customization customization");

    [Fact]
    public void Read_EndlessFaults_NamesABoundedNumber()
    {
        var json = "{" + string.Join(',', Enumerable.Range(0, 1000).Select(i => $"\"{new string('k', 200)}{i}\":1")) + "}";
        Assert.Null(IdentityRequest.Read(JsonElement.Parse(json), out var errors));
        Assert.InRange(errors.Count, 2, 50);
        Assert.All(errors, error => Assert.InRange(error.Field.Length, 1, 100));
    }

    [Fact]
    public void Read_NullFields_MeanFieldsLeftOut()
    {
        var identity = Accept($$"""{"name":"Dad",{{Set}},"preset":null,"provider":null,"trigger_word":null,"training":null,"steps":null,"customization":null}""");
        Assert.Equal(Accept($$"""{"name":"Dad",{{Set}}}""").Fingerprint(), identity.Fingerprint());
    }

    private static NewIdentity Accept(string json)
    {
        var identity = IdentityRequest.Read(JsonElement.Parse(json), out var errors);
        Assert.Empty(errors);
        return identity!;
    }

    private static void AssertRefused(string json, params string[] expected)
    {
        Assert.Null(IdentityRequest.Read(JsonElement.Parse(json), out var errors));
        Assert.Equal(expected, errors.Select(error => $"{error.Code} {error.Field}"));
        Assert.All(errors, error => Assert.NotEmpty(error.Detail));
    }
}
