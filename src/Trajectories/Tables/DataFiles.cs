namespace Rlhf.Trajectories;

/// <summary>Which files some paths and patterns stand for.</summary>
public static class DataFiles
{
    /// <summary>The files in the order in which <see cref="DataReader"/> reads them.</summary>
    /// <exception cref="Rlhf.Core.BadDataException">A file is missing, or a pattern matches none.</exception>
    public static IReadOnlyList<string> Of(IReadOnlyList<string> paths) => DataSource.Resolve(paths).Files;
}
