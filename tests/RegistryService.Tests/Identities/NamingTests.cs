using System.Text;
using Flurrty.RegistryService.Identities;

namespace Flurrty.RegistryService.Tests.Identities;

public sealed class NamingTests
{
    [Theory]
    [InlineData("Dad", "dad")]
    [InlineData("  Über Dad!! 2 ", "uber-dad-2")]
    [InlineData("Ünïcödé", "unicode")]
    [InlineData("U\u0308ni\u0308", "uni")]
    [InlineData("Straße", "strasse")]
    [InlineData("Æsop Øyvind Łukasz Þór Đặng", "aesop-oyvind-lukasz-thor-dang")]
    [InlineData("İstanbul", "istanbul")]
    [InlineData("Ⅳ ½", "iv-1-2")]
    [InlineData("Алёша", "alesha")]
    [InlineData("ねこ", "neko")]
    [InlineData("猫 Tama 😀", "tama")]
    [InlineData("O'Neil", "o-neil")]
    [InlineData("../../etc/passwd\r\n\"", "etc-passwd")]
    [InlineData("a23456789012345678901234567890123456789 1234", "a23456789012345678901234567890123456789")]
    public void Slug_Name_IsSafeInAFileName(string name, string slug) => Assert.Equal(slug, IdentityName.Slug(name));

    [Theory]
    [InlineData("猫")]
    [InlineData("李")]
    [InlineData("\U00020000")]
    public void Slug_NameWithoutOneReading_IsAlwaysTheSameAndNobodyElses(string name)
    {
        var slug = IdentityName.Slug(name);
        Assert.Matches("^identity-[0-9a-f]{8}$", slug);
        Assert.Equal(slug, IdentityName.Slug(name));
        Assert.NotEqual(slug, IdentityName.Slug($"{name}{name}"));
    }

    [Fact]
    public void Slug_OfAnyLetter_IsSafeInAFileName()
    {
        for (var value = 0; value <= 0x10FFFF; value++)
        {
            if (Rune.IsValid(value))
            {
                Assert.Matches("^[a-z0-9]+(-[a-z0-9]+)*$", IdentityName.Slug($"{new Rune(value)} a {new Rune(value)}"));
            }
        }
    }

    [Fact]
    public void TriggerWord_OfAVersion_IsValidAndAlwaysTheSame()
    {
        var id = Guid.CreateVersion7();
        Assert.Matches("^flr[a-z2-7]{6}$", TriggerWord.For(id));
        Assert.True(TriggerWord.IsValid(TriggerWord.For(id)));
        Assert.Equal(TriggerWord.For(id), TriggerWord.For(id));
        Assert.Equal(1000, Enumerable.Range(0, 1000).Select(_ => TriggerWord.For(Guid.CreateVersion7())).Distinct(StringComparer.Ordinal).Count());
    }

    [Fact]
    public void VersionId_OfAKey_DependsOnAccountKeyAndPayload()
    {
        var account = Guid.CreateVersion7();
        var id = IdempotencyKey.VersionId(account, "key", "payload");
        Assert.Equal(id, IdempotencyKey.VersionId(account, "key", "payload"));
        Assert.Equal(8, id.Version);
        Assert.NotEqual(id, IdempotencyKey.VersionId(Guid.CreateVersion7(), "key", "payload"));
        Assert.NotEqual(id, IdempotencyKey.VersionId(account, "key2", "payload"));
        Assert.NotEqual(id, IdempotencyKey.VersionId(account, "key", "payload2"));
    }

    [Theory]
    [InlineData("a", true)]
    [InlineData("\"quoted key\"", true)]
    [InlineData("", false)]
    [InlineData("é", false)]
    [InlineData("a\tb", false)]
    public void IdempotencyKey_Text_IsPrintableAscii(string key, bool valid) => Assert.Equal(valid, IdempotencyKey.IsValid(key));

    [Fact]
    public void IdempotencyKey_Length_IsBounded()
    {
        Assert.True(IdempotencyKey.IsValid(new string('k', 255)));
        Assert.False(IdempotencyKey.IsValid(new string('k', 256)));
    }
}
