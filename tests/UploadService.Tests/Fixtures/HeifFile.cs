using System.Buffers.Binary;
using System.Text;

namespace Flurrty.UploadService.Tests.Fixtures;

/// <summary>One item of a HEIF file to be written.</summary>
internal sealed record HeifItem(uint Id, string Type, byte[] Data, uint Width, uint Height)
{
    /// <summary>The decoder's configuration, as a whole box; empty for derived items.</summary>
    public byte[] Configuration { get; init; } = [];

    /// <summary>The items that this one is made of.</summary>
    public uint[] Parts { get; init; } = [];

    /// <summary>Quarter turns, anticlockwise; null for no such property.</summary>
    public byte? Turns { get; init; }
}

/// <summary>Writes HEIF containers of any shape, good and bad, around pictures coded by heif-enc.</summary>
internal static class HeifFile
{
    /// <summary>The coded picture of a file that heif-enc wrote, to be put into another container.</summary>
    public static HeifItem CodedOf(byte[] file, uint id, uint width, uint height)
    {
        var avif = file.AsSpan(8, 4).SequenceEqual("avif"u8);

        // The picture is its first item; EXIF may follow it.
        var place = Find(file, "iloc");
        var start = (int)(BinaryPrimitives.ReadUInt32BigEndian(place.AsSpan(20)) + BinaryPrimitives.ReadUInt32BigEndian(place.AsSpan(26)));
        var data = file.AsSpan(start, (int)BinaryPrimitives.ReadUInt32BigEndian(place.AsSpan(30))).ToArray();
        return new HeifItem(id, avif ? "av01" : "hvc1", data, width, height) { Configuration = Find(file, avif ? "av1C" : "hvcC") };
    }

    public static HeifItem Grid(uint id, int rows, int columns, ushort width, ushort height, uint[] tiles)
    {
        var data = new byte[8];
        data[2] = (byte)(rows - 1);
        data[3] = (byte)(columns - 1);
        BinaryPrimitives.WriteUInt16BigEndian(data.AsSpan(4), width);
        BinaryPrimitives.WriteUInt16BigEndian(data.AsSpan(6), height);
        return new HeifItem(id, "grid", data, width, height) { Parts = tiles };
    }

    public static byte[] Write(uint primary, IReadOnlyList<HeifItem> items, string brand = "heic", string second = "mif1")
    {
        var fileType = Box("ftyp", [.. Encoding.ASCII.GetBytes(brand), 0, 0, 0, 0, .. Encoding.ASCII.GetBytes(second), .. Encoding.ASCII.GetBytes(brand)]);

        // Offsets are of a fixed width, so the first writing tells where the data will be.
        var start = fileType.Length + Meta(primary, items, 0).Length + 8;
        return [.. fileType, .. Meta(primary, items, start), .. Box("mdat", [.. items.SelectMany(item => item.Data)])];
    }

    public static byte[] Box(string type, byte[] body) => [.. Number((uint)body.Length + 8), .. Encoding.ASCII.GetBytes(type), .. body];

    /// <summary>The first box of this type, wherever it is.</summary>
    public static byte[] Find(byte[] file, string type)
    {
        var at = file.AsSpan().IndexOf(Encoding.ASCII.GetBytes(type)) - 4;
        return file[at..(at + (int)BinaryPrimitives.ReadUInt32BigEndian(file.AsSpan(at)))];
    }

    private static byte[] Meta(uint primary, IReadOnlyList<HeifItem> items, int start)
    {
        var properties = new List<byte[]>();
        var associations = new List<byte>();
        foreach (var item in items)
        {
            var own = new List<byte>();
            void Add(byte[] property, bool essential)
            {
                properties.Add(property);
                own.Add((byte)(properties.Count | (essential ? 0x80 : 0)));
            }

            Add(Box("ispe", [0, 0, 0, 0, .. Number(item.Width), .. Number(item.Height)]), essential: false);
            if (item.Configuration.Length > 0)
            {
                Add(item.Configuration, essential: true);
            }

            if (item.Turns is { } turns)
            {
                Add(Box("irot", [turns]), essential: true);
            }

            associations.AddRange([.. Short(item.Id), (byte)own.Count, .. own]);
        }

        var places = new List<byte>();
        var offset = start;
        foreach (var item in items)
        {
            places.AddRange([.. Short(item.Id), 0, 0, 0, 1, .. Number((uint)offset), .. Number((uint)item.Data.Length)]);
            offset += item.Data.Length;
        }

        byte[] references = [.. items.Where(item => item.Parts.Length > 0)
            .SelectMany(item => Box("dimg", [.. Short(item.Id), .. Short((uint)item.Parts.Length), .. item.Parts.SelectMany(Short)]))];
        return Box(
            "meta",
            [
                0, 0, 0, 0,
                .. Box("hdlr", [0, 0, 0, 0, 0, 0, 0, 0, .. "pict"u8, .. new byte[13]]),
                .. Box("pitm", [0, 0, 0, 0, .. Short(primary)]),
                .. Box("iinf", [0, 0, 0, 0, .. Short((uint)items.Count), .. items.SelectMany(item => Box("infe", [2, 0, 0, 0, .. Short(item.Id), 0, 0, .. Encoding.ASCII.GetBytes(item.Type), 0]))]),
                .. references.Length == 0 ? [] : Box("iref", [0, 0, 0, 0, .. references]),
                .. Box("iprp", [.. Box("ipco", [.. properties.SelectMany(property => property)]), .. Box("ipma", [0, 0, 0, 0, .. Number((uint)items.Count), .. associations])]),
                .. Box("iloc", [0, 0, 0, 0, 0x44, 0x00, .. Short((uint)items.Count), .. places]),
            ]);
    }

    private static byte[] Number(uint value) => [(byte)(value >> 24), (byte)(value >> 16), (byte)(value >> 8), (byte)value];

    private static byte[] Short(uint value) => [(byte)(value >> 8), (byte)value];
}
