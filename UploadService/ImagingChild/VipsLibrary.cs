using System.Reflection;
using System.Runtime.InteropServices;

namespace Flurrty.ImagingChild;

/// <summary>The functions of libvips, GObject and GLib that are called, and where they are found.</summary>
internal static unsafe partial class VipsLibrary
{
    private const string Vips = "vips";
    private const string GObject = "gobject";
    private static nint _vips;
    private static nint _gobject;

    /// <summary>Loads the library from a path, or the system's when there is none, and admits only the wanted loaders.</summary>
    public static Version Load(string? path)
    {
        if (path is { Length: > 0 })
        {
            // sharp's build holds GLib and GObject in the same file.
            _vips = _gobject = NativeLibrary.Load(path);
        }
        else
        {
            _vips = NativeLibrary.Load("libvips.so.42");
            _gobject = NativeLibrary.Load("libgobject-2.0.so.0");
        }

        NativeLibrary.SetDllImportResolver(typeof(VipsLibrary).Assembly, Resolve);
        if (Init("imaging") != 0)
        {
            throw new VipsException(TakeError());
        }

        CacheSetMax(0);
        ConcurrencySet(1);
        BlockUntrusted(1);
        BlockOperations("VipsForeignLoad", 1);
        BlockOperations("VipsForeignLoadJpeg", 0);
        BlockOperations("VipsForeignLoadPng", 0);
        BlockOperations("VipsForeignLoadWebp", 0);
        if (path is not { Length: > 0 })
        {
            // The build of libvips that comes with sharp opens a HEIC file and then fails at its pixels.
            BlockOperations("VipsForeignLoadHeif", 0);
        }

        return new Version(LibraryVersion(0), LibraryVersion(1), LibraryVersion(2));
    }

    public static string TakeError()
    {
        var text = ErrorBufferCopy();
        try
        {
            return Marshal.PtrToStringUTF8(text)?.Trim() ?? "";
        }
        finally
        {
            Free(text);
        }
    }

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? searchPath) => name switch
    {
        Vips => _vips,
        GObject => _gobject,
        _ => 0,
    };

    [LibraryImport(Vips, EntryPoint = "vips_init", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Init(string name);

    [LibraryImport(Vips, EntryPoint = "vips_version")]
    private static partial int LibraryVersion(int part);

    [LibraryImport(Vips, EntryPoint = "vips_cache_set_max")]
    private static partial void CacheSetMax(int operations);

    [LibraryImport(Vips, EntryPoint = "vips_concurrency_set")]
    private static partial void ConcurrencySet(int threads);

    [LibraryImport(Vips, EntryPoint = "vips_block_untrusted_set")]
    private static partial void BlockUntrusted(int state);

    [LibraryImport(Vips, EntryPoint = "vips_operation_block_set", StringMarshalling = StringMarshalling.Utf8)]
    private static partial void BlockOperations(string baseClass, int state);

    [LibraryImport(Vips, EntryPoint = "vips_error_buffer_copy")]
    private static partial nint ErrorBufferCopy();

    [LibraryImport(Vips, EntryPoint = "vips_operation_new", StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint OperationNew(string name);

    [LibraryImport(Vips, EntryPoint = "vips_object_set_from_string", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int ObjectSetFromString(nint target, string options);

    [LibraryImport(Vips, EntryPoint = "vips_cache_operation_buildp")]
    public static partial int CacheOperationBuild(ref nint operation);

    [LibraryImport(Vips, EntryPoint = "vips_object_unref_outputs")]
    public static partial void UnrefOutputs(nint operation);

    [LibraryImport(Vips, EntryPoint = "vips_image_get_type")]
    public static partial nuint ImageType();

    [LibraryImport(Vips, EntryPoint = "vips_blob_get_type")]
    public static partial nuint BlobType();

    [LibraryImport(Vips, EntryPoint = "vips_blob_new")]
    public static partial nint BlobNew(nint free, nint data, nuint length);

    [LibraryImport(Vips, EntryPoint = "vips_blob_get")]
    public static partial nint BlobGet(nint blob, out nuint length);

    [LibraryImport(Vips, EntryPoint = "vips_area_unref")]
    public static partial void AreaUnref(nint area);

    [LibraryImport(Vips, EntryPoint = "vips_image_copy_memory")]
    public static partial nint ImageCopyMemory(nint image);

    [LibraryImport(Vips, EntryPoint = "vips_image_get_orientation")]
    public static partial int ImageOrientation(nint image);

    [LibraryImport(Vips, EntryPoint = "vips_image_get_data")]
    public static partial nint ImageData(nint image);

    [LibraryImport(Vips, EntryPoint = "vips_image_get_width")]
    public static partial int ImageWidth(nint image);

    [LibraryImport(Vips, EntryPoint = "vips_image_get_height")]
    public static partial int ImageHeight(nint image);

    [LibraryImport(Vips, EntryPoint = "vips_image_get_bands")]
    public static partial int ImageBands(nint image);

    [LibraryImport(Vips, EntryPoint = "vips_image_get_format")]
    public static partial int ImageFormat(nint image);

    [LibraryImport(Vips, EntryPoint = "vips_image_get_interpretation")]
    public static partial int ImageInterpretation(nint image);

    [LibraryImport(Vips, EntryPoint = "vips_image_hasalpha")]
    public static partial int ImageHasAlpha(nint image);

    [LibraryImport(Vips, EntryPoint = "vips_image_get_typeof", StringMarshalling = StringMarshalling.Utf8)]
    public static partial nuint ImageTypeOf(nint image, string name);

    [LibraryImport(GObject, EntryPoint = "g_value_init")]
    public static partial GValue* ValueInit(GValue* value, nuint type);

    [LibraryImport(GObject, EntryPoint = "g_value_unset")]
    public static partial void ValueUnset(GValue* value);

    [LibraryImport(GObject, EntryPoint = "g_value_set_object")]
    public static partial void ValueSetObject(GValue* value, nint instance);

    [LibraryImport(GObject, EntryPoint = "g_value_dup_object")]
    public static partial nint ValueDupObject(GValue* value);

    [LibraryImport(GObject, EntryPoint = "g_value_set_boxed")]
    public static partial void ValueSetBoxed(GValue* value, nint boxed);

    [LibraryImport(GObject, EntryPoint = "g_value_dup_boxed")]
    public static partial nint ValueDupBoxed(GValue* value);

    [LibraryImport(GObject, EntryPoint = "g_object_set_property", StringMarshalling = StringMarshalling.Utf8)]
    public static partial void ObjectSetProperty(nint instance, string name, GValue* value);

    [LibraryImport(GObject, EntryPoint = "g_object_get_property", StringMarshalling = StringMarshalling.Utf8)]
    public static partial void ObjectGetProperty(nint instance, string name, GValue* value);

    [LibraryImport(GObject, EntryPoint = "g_object_unref")]
    public static partial void ObjectUnref(nint instance);

    // GLib is a dependency of GObject, so its symbols are found through the same handle.
    [LibraryImport(GObject, EntryPoint = "g_free")]
    private static partial void Free(nint memory);

    /// <summary>GLib's value box: 24 bytes, zeroed before use.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 24)]
    internal struct GValue
    {
        private readonly nuint _type;
        private readonly ulong _first;
        private readonly ulong _second;
    }
}
