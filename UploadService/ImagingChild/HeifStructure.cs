using System.Buffers.Binary;

namespace Flurrty.ImagingChild;

/// <summary>
/// Reads what a HEIF container (HEIC, AVIF) declares: its brands, the primary picture and its tiles, every declared size, and whether the
/// bytes that it points at are there. Only a coded picture or one flat grid of them is let through, so no derivation can loop or nest.
/// </summary>
internal static class HeifStructure
{
    // A 48-megapixel photo of a phone has about 200 tiles and a dozen further items.
    private const int MostItems = 1000;
    private const int MostBoxes = 2000;
    private const uint FileTypeBox = 0x66747970;
    private const uint MetaBox = 0x6D657461;
    private const uint MovieBox = 0x6D6F6F76;

    public static PhotoStructure Read(ReadOnlySpan<byte> file)
    {
        var state = new State();
        try
        {
            var complete = ReadTop(file, ref state);
            return Judge(file.Length, complete, ref state);
        }
        catch (Exception problem) when (problem is ArgumentOutOfRangeException or IndexOutOfRangeException)
        {
            // A length inside a box points past the box.
            return new PhotoStructure(0, 0, Layered: true, Animated: false, EndsEarly: false);
        }
    }

    /// <summary>Whether a file type box is one of the still or moving pictures that HEIF knows.</summary>
    public static PhotoFormat Sniff(ReadOnlySpan<byte> head)
    {
        if (head.Length < 12 || !head[4..].StartsWith("ftyp"u8))
        {
            return PhotoFormat.None;
        }

        var brand = head[8..12];
        if (brand.SequenceEqual("avif"u8) || brand.SequenceEqual("avis"u8))
        {
            return PhotoFormat.Avif;
        }

        return brand.SequenceEqual("heic"u8) || brand.SequenceEqual("heix"u8) || brand.SequenceEqual("heim"u8) || brand.SequenceEqual("heis"u8)
            || brand.SequenceEqual("mif1"u8) || brand.SequenceEqual("miaf"u8) || IsSequence(brand)
            ? PhotoFormat.Heic
            : PhotoFormat.None;
    }

    private static bool IsSequence(ReadOnlySpan<byte> brand) =>
        brand.SequenceEqual("hevc"u8) || brand.SequenceEqual("hevx"u8) || brand.SequenceEqual("hevm"u8) || brand.SequenceEqual("hevs"u8)
        || brand.SequenceEqual("msf1"u8) || brand.SequenceEqual("avis"u8);

    private static PhotoStructure Judge(int fileLength, bool complete, ref State state)
    {
        if (state.Animated)
        {
            return new PhotoStructure(1, 1, Layered: true, Animated: true, EndsEarly: false);
        }

        if (!state.HasMeta || !state.Sizes.TryGetValue(state.Primary, out var size) || !state.Types.TryGetValue(state.Primary, out var type))
        {
            return new PhotoStructure(0, 0, Layered: true, Animated: false, EndsEarly: !complete);
        }

        var endsEarly = !complete || state.LastByte > fileLength;
        var coded = type;
        var pixels = state.LargestPixels;
        if (type == Tag("grid"u8))
        {
            if (!state.Tiles.TryGetValue(state.Primary, out var tiles) || tiles.Length is 0 or > MostItems)
            {
                return new PhotoStructure(0, 0, Layered: true, Animated: false, endsEarly);
            }

            // A tile may be named many times, and is decoded as often.
            long decoded = 0;
            foreach (var tile in tiles)
            {
                if (!state.Types.TryGetValue(tile, out coded) || !state.Sizes.TryGetValue(tile, out var part) || FormatOf(coded) == PhotoFormat.OtherPicture)
                {
                    return new PhotoStructure(0, 0, Layered: true, Animated: false, endsEarly);
                }

                decoded += (long)part.Width * part.Height;
            }

            // Tiles at the right and the lower edge reach over it.
            pixels = Math.Max(pixels, decoded - (decoded / 8));
        }

        return new PhotoStructure(size.Width, size.Height, Layered: true, Animated: false, endsEarly) { Format = FormatOf(coded), LargestPixels = pixels };
    }

    private static PhotoFormat FormatOf(uint itemType) =>
        itemType == Tag("hvc1"u8) ? PhotoFormat.Heic : itemType == Tag("av01"u8) ? PhotoFormat.Avif : PhotoFormat.OtherPicture;

    /// <returns>Whether the file's last box ends where the file does, or before.</returns>
    private static bool ReadTop(ReadOnlySpan<byte> file, ref State state)
    {
        long at = 0;
        for (var boxes = 0; at + 8 <= file.Length && boxes < MostBoxes; boxes++)
        {
            var (type, header, length) = ReadBox(file[(int)at..]);
            if (length < header)
            {
                return true;
            }

            if (at + length > file.Length)
            {
                if (type == MetaBox)
                {
                    return false;
                }

                at += length;
                break;
            }

            var body = file.Slice((int)at + header, (int)(length - header));
            switch (type)
            {
                case FileTypeBox:
                    state.Animated |= body.Length >= 4 && IsSequence(body[..4]);
                    break;
                case MovieBox:
                    state.Animated = true;
                    break;
                case MetaBox when !state.HasMeta:
                    state.HasMeta = true;
                    ReadMeta(body[4..], ref state);
                    break;
                default:
                    break;
            }

            at += length;
        }

        return at <= file.Length;
    }

    private static void ReadMeta(ReadOnlySpan<byte> meta, ref State state)
    {
        var boxes = new Boxes(meta);
        while (boxes.Next(out var type, out var body))
        {
            if (type == Tag("pitm"u8))
            {
                state.Primary = body[0] == 0 ? BinaryPrimitives.ReadUInt16BigEndian(body[4..]) : BinaryPrimitives.ReadUInt32BigEndian(body[4..]);
            }
            else if (type == Tag("iinf"u8))
            {
                ReadItems(body, ref state);
            }
            else if (type == Tag("iloc"u8))
            {
                ReadPlaces(body, ref state);
            }
            else if (type == Tag("iref"u8))
            {
                ReadReferences(body, ref state);
            }
            else if (type == Tag("iprp"u8))
            {
                ReadProperties(body, ref state);
            }
        }
    }

    private static void ReadItems(ReadOnlySpan<byte> body, ref State state)
    {
        var wide = body[0] != 0;
        var count = wide ? BinaryPrimitives.ReadUInt32BigEndian(body[4..]) : BinaryPrimitives.ReadUInt16BigEndian(body[4..]);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, (uint)MostItems);
        var boxes = new Boxes(body[(wide ? 8 : 6)..]);
        while (boxes.Next(out var type, out var entry))
        {
            if (type == Tag("infe"u8) && entry[0] >= 2)
            {
                var large = entry[0] > 2;
                var id = large ? BinaryPrimitives.ReadUInt32BigEndian(entry[4..]) : BinaryPrimitives.ReadUInt16BigEndian(entry[4..]);
                state.Types[id] = BinaryPrimitives.ReadUInt32BigEndian(entry[(large ? 10 : 8)..]);
                ArgumentOutOfRangeException.ThrowIfGreaterThan(state.Types.Count, MostItems);
            }
        }
    }

    private static void ReadPlaces(ReadOnlySpan<byte> body, ref State state)
    {
        var version = body[0];
        int offsetSize = body[4] >> 4, lengthSize = body[4] & 15, baseSize = body[5] >> 4, indexSize = version == 0 ? 0 : body[5] & 15;
        var reader = new Numbers(body[6..]);
        var count = reader.Read(version < 2 ? 2 : 4);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, (ulong)MostItems);
        for (var item = 0UL; item < count; item++)
        {
            _ = reader.Read(version < 2 ? 2 : 4);
            var method = version == 0 ? 0 : reader.Read(2) & 15;
            _ = reader.Read(2);
            var start = reader.Read(baseSize);
            var extents = reader.Read(2);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(extents, (ulong)MostItems);
            for (var extent = 0UL; extent < extents; extent++)
            {
                _ = reader.Read(indexSize);
                var offset = reader.Read(offsetSize);
                var length = reader.Read(lengthSize);
                if (method == 0)
                {
                    state.LastByte = Math.Max(state.LastByte, (long)Math.Min(start, int.MaxValue) + (long)Math.Min(offset, int.MaxValue) + (long)Math.Min(length, int.MaxValue));
                }
            }
        }
    }

    private static void ReadReferences(ReadOnlySpan<byte> body, ref State state)
    {
        var size = body[0] == 0 ? 2 : 4;
        var boxes = new Boxes(body[4..]);
        while (boxes.Next(out var type, out var entry))
        {
            if (type != Tag("dimg"u8))
            {
                continue;
            }

            var reader = new Numbers(entry);
            var from = (uint)reader.Read(size);
            var tiles = new uint[reader.Read(2)];
            for (var tile = 0; tile < tiles.Length; tile++)
            {
                tiles[tile] = (uint)reader.Read(size);
            }

            state.Tiles[from] = tiles;
        }
    }

    private static void ReadProperties(ReadOnlySpan<byte> body, ref State state)
    {
        var sizes = new List<(int Width, int Height)>();
        var boxes = new Boxes(body);
        while (boxes.Next(out var type, out var entry))
        {
            if (type == Tag("ipco"u8))
            {
                var properties = new Boxes(entry);
                while (properties.Next(out var property, out var value))
                {
                    var size = property == Tag("ispe"u8) ? (Width: Clamp(value[4..]), Height: Clamp(value[8..])) : default;
                    sizes.Add(size);
                    state.LargestPixels = Math.Max(state.LargestPixels, (long)size.Width * size.Height);
                }
            }
            else if (type == Tag("ipma"u8))
            {
                var reader = new Numbers(entry[4..]);
                var count = reader.Read(4);
                ArgumentOutOfRangeException.ThrowIfGreaterThan(count, (ulong)MostItems);
                for (var item = 0UL; item < count; item++)
                {
                    var id = (uint)reader.Read(entry[0] < 1 ? 2 : 4);
                    for (var left = reader.Read(1); left > 0; left--)
                    {
                        var index = (entry[3] & 1) != 0 ? (int)(reader.Read(2) & 0x7FFF) : (int)(reader.Read(1) & 0x7F);
                        if (index > 0 && index <= sizes.Count && sizes[index - 1].Width > 0)
                        {
                            state.Sizes[id] = sizes[index - 1];
                        }
                    }
                }
            }
        }
    }

    private static (uint Type, int Header, long Length) ReadBox(ReadOnlySpan<byte> at)
    {
        long length = BinaryPrimitives.ReadUInt32BigEndian(at);
        var type = BinaryPrimitives.ReadUInt32BigEndian(at[4..]);
        if (length == 1 && at.Length >= 16)
        {
            return (type, 16, (long)Math.Min(BinaryPrimitives.ReadUInt64BigEndian(at[8..]), long.MaxValue / 2));
        }

        return (type, 8, length == 0 ? at.Length : length);
    }

    private static uint Tag(ReadOnlySpan<byte> name) => BinaryPrimitives.ReadUInt32BigEndian(name);

    private static int Clamp(ReadOnlySpan<byte> at) => (int)Math.Min(BinaryPrimitives.ReadUInt32BigEndian(at), int.MaxValue);

    /// <summary>Boxes side by side; each must end within its parent.</summary>
    private ref struct Boxes(ReadOnlySpan<byte> rest)
    {
        private ReadOnlySpan<byte> _rest = rest;
        private int _seen;

        public bool Next(out uint type, out ReadOnlySpan<byte> body)
        {
            if (_rest.Length < 8)
            {
                type = 0;
                body = default;
                return false;
            }

            ArgumentOutOfRangeException.ThrowIfGreaterThan(++_seen, MostBoxes);
            (type, var header, var length) = ReadBox(_rest);
            ArgumentOutOfRangeException.ThrowIfLessThan(length, header);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(length, _rest.Length);
            body = _rest[header..(int)length];
            _rest = _rest[(int)length..];
            return true;
        }
    }

    /// <summary>Big-endian numbers of any width, one after the other.</summary>
    private ref struct Numbers(ReadOnlySpan<byte> rest)
    {
        private ReadOnlySpan<byte> _rest = rest;

        public ulong Read(int bytes)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, Math.Min(8, _rest.Length));
            ulong value = 0;
            foreach (var part in _rest[..bytes])
            {
                value = (value << 8) | part;
            }

            _rest = _rest[bytes..];
            return value;
        }
    }

    private ref struct State
    {
        public State()
        {
        }

        public Dictionary<uint, uint> Types { get; } = [];

        public Dictionary<uint, (int Width, int Height)> Sizes { get; } = [];

        public Dictionary<uint, uint[]> Tiles { get; } = [];

        public uint Primary { get; set; }

        public bool HasMeta { get; set; }

        public bool Animated { get; set; }

        public long LastByte { get; set; }

        public long LargestPixels { get; set; }
    }
}
