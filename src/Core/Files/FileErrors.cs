namespace Rlhf.Core;

/// <summary>Turns what the operating system says about a file into one readable error. The only place that knows error numbers.</summary>
public static class FileErrors
{
    // errno values of Linux; .NET keeps them in HResult for errors that it has no class for.
    private const int NoSpaceLeft = 28, ReadOnlyFileSystem = 30, QuotaExceeded = 122;
    private const int WindowsDiskFull = unchecked((int)0x80070070);

    /// <summary>True for failures of the file system, which <see cref="ForWriting"/> and <see cref="ForReading"/> explain.</summary>
    public static bool IsFileError(Exception error) => error is IOException or UnauthorizedAccessException;

    /// <summary>True when the device has no room left.</summary>
    public static bool IsDiskFull(Exception error) => error is IOException && error.HResult is NoSpaceLeft or QuotaExceeded or WindowsDiskFull;

    /// <summary>The error for a failed write to <paramref name="path"/>.</summary>
    public static BadDataException ForWriting(string path, Exception error)
    {
        string why = error switch
        {
            _ when IsDiskFull(error) => "the disk is full. Free some space or choose another folder; nothing half-written was left under this name.",
            IOException { HResult: ReadOnlyFileSystem } => "the file system is read-only. Choose another folder.",
            UnauthorizedAccessException when Directory.Exists(path) => "it is a folder, or permission is denied in it. Check its owner and rights, or choose another name.",
            UnauthorizedAccessException => "permission is denied. Check the owner and rights of the folder, or choose another one.",
            DirectoryNotFoundException => "its folder does not exist and could not be made. Check the path.",
            PathTooLongException => "the path is too long. Choose a shorter one.",
            _ => $"{error.Message.TrimEnd('.')}. Check the path and the device.",
        };
        return new BadDataException($"Cannot write '{path}': {why}", error);
    }

    /// <summary>The error for a failed read of <paramref name="path"/>.</summary>
    public static BadDataException ForReading(string path, Exception error)
    {
        string why = error switch
        {
            FileNotFoundException or DirectoryNotFoundException => "there is no such file. Check the path.",
            UnauthorizedAccessException when Directory.Exists(path) => "it is a folder; a file is expected.",
            UnauthorizedAccessException => "permission is denied. Check the owner and rights of the file.",
            _ => $"{error.Message.TrimEnd('.')}. Check the path and the device.",
        };
        return new BadDataException($"Cannot read '{path}': {why}", error);
    }

    /// <summary>Runs <paramref name="work"/>; a file-system failure becomes the error of <see cref="ForWriting"/>.</summary>
    public static T Writing<T>(string path, Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Exception error) when (IsFileError(error))
        {
            throw ForWriting(path, error);
        }
    }

    /// <inheritdoc cref="Writing{T}(string, Func{T})"/>
    public static void Writing(string path, Action work) => Writing(path, () =>
    {
        work();
        return true;
    });

    /// <summary>Runs <paramref name="work"/>; a file-system failure becomes the error of <see cref="ForReading"/>.</summary>
    public static T Reading<T>(string path, Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Exception error) when (IsFileError(error))
        {
            throw ForReading(path, error);
        }
    }
}
