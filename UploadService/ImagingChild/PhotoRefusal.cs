namespace Flurrty.ImagingChild;

/// <summary>Why a file is not taken as a photo. The numbers are part of the protocol between service and child.</summary>
internal enum PhotoRefusal : byte
{
    None = 0,
    NotAnImage = 1,
    UnsupportedFormat = 2,
    Truncated = 3,
    Unreadable = 4,
    TooManyPixels = 5,
    TooSmall = 6,
    Animated = 7,
}
