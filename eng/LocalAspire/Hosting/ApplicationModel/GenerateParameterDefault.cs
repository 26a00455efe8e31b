using System.Security.Cryptography;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>A random value.</summary>
public sealed class GenerateParameterDefault : ParameterDefault
{
    // Characters that look alike, or that break URLs and connection strings, are left out.
    private const string Lowers = "abcdefghjkmnpqrstuvwxyz";
    private const string Uppers = "ABCDEFGHJKMNPQRSTUVWXYZ";
    private const string Digits = "0123456789";
    private const string Specials = "-_.{}~()*+!";

    /// <summary>The length at least.</summary>
    public int MinLength { get; set; }

    /// <summary>Whether there may be lower case letters.</summary>
    public bool Lower { get; set; } = true;

    /// <summary>Whether there may be upper case letters.</summary>
    public bool Upper { get; set; } = true;

    /// <summary>Whether there may be digits.</summary>
    public bool Numeric { get; set; } = true;

    /// <summary>Whether there may be other characters.</summary>
    public bool Special { get; set; } = true;

    /// <summary>How many lower case letters at least.</summary>
    public int MinLower { get; set; }

    /// <summary>How many upper case letters at least.</summary>
    public int MinUpper { get; set; }

    /// <summary>How many digits at least.</summary>
    public int MinNumeric { get; set; }

    /// <summary>How many other characters at least.</summary>
    public int MinSpecial { get; set; }

    /// <inheritdoc />
    public override string GetDefaultValue()
    {
        var all = (Lower ? Lowers : "") + (Upper ? Uppers : "") + (Numeric ? Digits : "") + (Special ? Specials : "");
        if (all.Length == 0)
        {
            throw new InvalidOperationException("At least one kind of character must be allowed.");
        }

        var value = new List<char>();
        Take(Lowers, MinLower);
        Take(Uppers, MinUpper);
        Take(Digits, MinNumeric);
        Take(Specials, MinSpecial);
        Take(all, Math.Max(MinLength, 22) - value.Count);

        var characters = value.ToArray();
        RandomNumberGenerator.Shuffle<char>(characters);
        return new string(characters);

        void Take(string from, int count)
        {
            for (var i = 0; i < count; i++)
            {
                value.Add(from[RandomNumberGenerator.GetInt32(from.Length)]);
            }
        }
    }
}
