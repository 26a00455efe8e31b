namespace Flurrty.ImagingChild;

/// <summary>One call of a libvips operation by name: inputs by property, everything else by an option string.</summary>
internal sealed unsafe class VipsOperation : IDisposable
{
    private nint _operation;

    public VipsOperation(string name)
    {
        _operation = VipsLibrary.OperationNew(name);
        if (_operation == 0)
        {
            throw new VipsException(VipsLibrary.TakeError());
        }
    }

    public void SetImage(string name, nint image)
    {
        VipsLibrary.GValue value = default;
        VipsLibrary.ValueInit(&value, VipsLibrary.ImageType());
        VipsLibrary.ValueSetObject(&value, image);
        VipsLibrary.ObjectSetProperty(_operation, name, &value);
        VipsLibrary.ValueUnset(&value);
    }

    public void SetBlob(string name, nint bytes, nuint length)
    {
        var blob = VipsLibrary.BlobNew(0, bytes, length);
        VipsLibrary.GValue value = default;
        VipsLibrary.ValueInit(&value, VipsLibrary.BlobType());
        VipsLibrary.ValueSetBoxed(&value, blob);
        VipsLibrary.ObjectSetProperty(_operation, name, &value);
        VipsLibrary.ValueUnset(&value);
        VipsLibrary.AreaUnref(blob);
    }

    public void Build(string options)
    {
        if (options.Length > 0 && VipsLibrary.ObjectSetFromString(_operation, $"[{options}]") != 0)
        {
            throw new VipsException(VipsLibrary.TakeError());
        }

        if (VipsLibrary.CacheOperationBuild(ref _operation) != 0)
        {
            throw new VipsException(VipsLibrary.TakeError());
        }
    }

    public VipsImage GetImage(string name)
    {
        VipsLibrary.GValue value = default;
        VipsLibrary.ValueInit(&value, VipsLibrary.ImageType());
        VipsLibrary.ObjectGetProperty(_operation, name, &value);
        var image = VipsLibrary.ValueDupObject(&value);
        VipsLibrary.ValueUnset(&value);
        return VipsImage.Own(image);
    }

    public VipsBytes GetBytes(string name)
    {
        VipsLibrary.GValue value = default;
        VipsLibrary.ValueInit(&value, VipsLibrary.BlobType());
        VipsLibrary.ObjectGetProperty(_operation, name, &value);
        var blob = VipsLibrary.ValueDupBoxed(&value);
        VipsLibrary.ValueUnset(&value);
        return new VipsBytes(blob);
    }

    public void Dispose()
    {
        if (_operation != 0)
        {
            VipsLibrary.UnrefOutputs(_operation);
            VipsLibrary.ObjectUnref(_operation);
            _operation = 0;
        }
    }
}

/// <summary>Encoded bytes in libvips' memory, given back on dispose.</summary>
internal sealed unsafe class VipsBytes(nint blob) : IDisposable
{
    public ReadOnlySpan<byte> Span
    {
        get
        {
            var bytes = VipsLibrary.BlobGet(blob, out var length);
            return new ReadOnlySpan<byte>((void*)bytes, checked((int)length));
        }
    }

    public void Dispose() => VipsLibrary.AreaUnref(blob);
}
