using Flurrty.ServiceDefaults.Data;

namespace Flurrty.ServiceDefaults.Tests;

public sealed class SnakeCaseTests
{
    [Theory]
    [InlineData("Id", "id")]
    [InlineData("PhotoSetId", "photo_set_id")]
    [InlineData("PK_Photos", "pk_photos")]
    [InlineData("SHA256Hex", "sha256_hex")]
    [InlineData("photo_sets", "photo_sets")]
    public void Convert_Name_GivesSnakeCase(string name, string expected) => Assert.Equal(expected, SnakeCase.Convert(name));
}
