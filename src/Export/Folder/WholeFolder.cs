namespace Rlhf.Export;

/// <summary>Writes a folder beside its place and renames it when it is whole, so nobody ever opens half a model.</summary>
internal static class WholeFolder
{
    public static void Write(string folder, Action<string> fill)
    {
        folder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        string partial = folder + ".partial", old = folder + ".old";
        if (Directory.Exists(partial)) Directory.Delete(partial, recursive: true);
        Directory.CreateDirectory(partial);
        try
        {
            fill(partial);
            if (Directory.Exists(old)) Directory.Delete(old, recursive: true);
            if (Directory.Exists(folder)) Directory.Move(folder, old);
            Directory.Move(partial, folder);
        }
        catch
        {
            if (Directory.Exists(partial)) Directory.Delete(partial, recursive: true);
            if (!Directory.Exists(folder) && Directory.Exists(old)) Directory.Move(old, folder);
            throw;
        }

        if (Directory.Exists(old)) Directory.Delete(old, recursive: true);
    }
}
