using System.Reflection;
using System.Runtime.Loader;
using Rlhf.Core;

namespace Rlhf.Scoring;

/// <summary>Loads the one public class of an assembly that implements <see cref="IRewardFunction"/>.</summary>
internal static class AssemblyReward
{
    /// <param name="path">The .dll; what it needs is looked for beside it.</param>
    /// <exception cref="ConfigurationException">Missing file, or not exactly one such class.</exception>
    public static IRewardFunction Open(string path)
    {
        string full = Path.GetFullPath(path);
        if (!File.Exists(full)) throw new ConfigurationException($"--reward-assembly: there is no file '{path}'.");
        try
        {
            Assembly assembly = new Neighbours(full).LoadFromAssemblyPath(full);
            Type[] found = [.. assembly.GetExportedTypes().Where(t => t is { IsClass: true, IsAbstract: false } && t.IsAssignableTo(typeof(IRewardFunction)))];
            if (found.Length != 1)
            {
                throw new ConfigurationException($"--reward-assembly {path}: found {found.Length} public classes that implement {typeof(IRewardFunction).FullName}; expected one.");
            }

            return (IRewardFunction)Activator.CreateInstance(found[0])!;
        }
        catch (Exception e) when (e is BadImageFormatException or FileLoadException or FileNotFoundException or TypeLoadException or MissingMethodException)
        {
            throw new ConfigurationException($"--reward-assembly {path}: cannot be used: {e.Message}", e);
        }
    }

    // Our own assemblies are shared, or the interface would be another one.
    private sealed class Neighbours(string path) : AssemblyLoadContext(Path.GetFileName(path))
    {
        private readonly AssemblyDependencyResolver _resolver = new(path);

        protected override Assembly? Load(AssemblyName assemblyName)
        {
            if (Default.Assemblies.Any(a => a.GetName().Name == assemblyName.Name)) return null;
            return _resolver.ResolveAssemblyToPath(assemblyName) is { } file ? LoadFromAssemblyPath(file) : null;
        }
    }
}
