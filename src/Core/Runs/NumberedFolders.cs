using System.Globalization;

namespace Rlhf.Core;

/// <summary>Folders whose names are numbers, as those of iterations and checkpoints are.</summary>
public static class NumberedFolders
{
    /// <summary>How a run's are written: <c>0007</c>.</summary>
    public const string Format = "0000";

    /// <summary>A folder's number, also of what a killed removal left (<c>0007.partial</c>); −1 where its name is none.</summary>
    public static int NumberOf(string folder)
    {
        string name = Path.GetFileName(folder);
        if (name.EndsWith(WholeFile.PartialSuffix, StringComparison.Ordinal)) name = name[..^WholeFile.PartialSuffix.Length];
        return int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int n) ? n : -1;
    }

    /// <summary>Numbers of the folders in a folder, ascending; what a killed removal left counts too. None where there is no such folder.</summary>
    public static int[] In(string parent) => !Directory.Exists(parent) ? [] : [.. Directory.GetDirectories(parent).Select(NumberOf).Where(n => n >= 0).Distinct().Order()];

    /// <summary>Numbers of the folders that have their final names, ascending.</summary>
    /// <param name="parent">Need not exist.</param>
    /// <param name="format">Of the names.</param>
    public static IEnumerable<int> Whole(string parent, string format = Format) => In(parent).Where(n => Directory.Exists(At(parent, n, format)));

    /// <summary>The folder of a number.</summary>
    public static string At(string parent, long number, string format = Format) => Path.Combine(parent, number.ToString(format, CultureInfo.InvariantCulture));
}
