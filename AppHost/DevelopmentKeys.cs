using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Flurrty.AppHost;

/// <summary>Every secret of a development topology: random, made once, kept under the data directory for its owner alone. One instance owns the file.</summary>
internal sealed class DevelopmentKeys
{
    private const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    private const string VolumesName = "volumes";

    private readonly string _file;
    private readonly Dictionary<string, string> _values;

    public DevelopmentKeys(DataDirectory data)
    {
        _file = data.Below("keys.json");
        // New keys name their volumes even where containers come later: no others may open those.
        _values = File.Exists(_file)
            ? JsonSerializer.Deserialize<Dictionary<string, string>>(File.ReadAllText(_file)) ?? []
            : new() { [VolumesName] = RandomNumberGenerator.GetHexString(12, lowercase: true) };
    }

    /// <summary>A secret of 32 letters and digits.</summary>
    public string Secret(string name) => Value(name, static () => RandomNumberGenerator.GetString(Alphabet, 32));

    public Guid Id(string name) => Guid.Parse(Value(name, static () => Guid.CreateVersion7().ToString()));

    /// <summary>A UUID that tells nothing, not even when it was made.</summary>
    public Guid RandomId(string name) => Guid.Parse(Value(name, static () => Guid.NewGuid().ToString()));

    /// <summary>
    /// What names the container volumes that these keys open. Volumes outlive the data directory: one made with other keys must not be met again. Keys that
    /// were made before there was this id open the volumes of <paramref name="former"/>.
    /// </summary>
    public string Volumes(string former) => Value(VolumesName, () => former);

    /// <summary>Base64 of a PKCS#8 P-256 key.</summary>
    public string SigningKey(string name) => Value(name, static () =>
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return Convert.ToBase64String(key.ExportPkcs8PrivateKey());
    });

    /// <summary>Base64 of the SubjectPublicKeyInfo of <see cref="SigningKey"/>.</summary>
    public string VerificationKey(string name)
    {
        using var key = ECDsa.Create();
        key.ImportPkcs8PrivateKey(Convert.FromBase64String(SigningKey(name)), out _);
        return Convert.ToBase64String(key.ExportSubjectPublicKeyInfo());
    }

    public static string Sha256(string value) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(value)));

    private string Value(string name, Func<string> make)
    {
        if (!_values.TryGetValue(name, out var value))
        {
            _values[name] = value = make();
            Save();
        }

        return value;
    }

    private void Save()
    {
        var temporary = $"{_file}.new";
        using (var stream = new FileStream(temporary, new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        {
            JsonSerializer.Serialize(stream, _values);
        }

        File.Move(temporary, _file, overwrite: true);
    }
}
