using System.Reflection;
using System.Runtime.Loader;
using Rlhf.Core;

namespace Rlhf.Scoring;

/// <summary>The one public class of an assembly that implements <see cref="IRewardFunction"/>. What it throws names the assembly.</summary>
internal sealed class AssemblyReward : IRewardFunction
{
    private readonly IRewardFunction _function;
    private readonly string _who;

    private AssemblyReward(IRewardFunction function, string path) => (_function, _who) = (function, Who(path));

    /// <param name="path">The .dll; what it needs is looked for beside it.</param>
    /// <exception cref="ConfigurationException">Missing file, or not exactly one such class.</exception>
    /// <exception cref="EngineException">Its constructor failed.</exception>
    public static AssemblyReward Open(string path)
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

            return new AssemblyReward((IRewardFunction)Activator.CreateInstance(found[0])!, path);
        }
        catch (TargetInvocationException e) when (e.InnerException is { } inner)
        {
            throw new EngineException($"{Who(path)} cannot be made: its constructor threw {Told(inner)}", inner);
        }
        catch (Exception e) when (e is BadImageFormatException or FileLoadException or FileNotFoundException or TypeLoadException or MissingMethodException)
        {
            throw new ConfigurationException($"--reward-assembly {path}: cannot be used: {e.Message}", e);
        }
    }

    /// <exception cref="EngineException">The function threw something of its own, or gave nothing.</exception>
    public IReadOnlyList<RewardValue> Score(IReadOnlyList<RuleInput> rows, CancellationToken cancellation)
    {
        try
        {
            // Copied here, where a list that computes its items only now may fail.
            return _function.Score(rows, cancellation) is { } values ? [.. values] : throw new EngineException($"{_who} gave null; expected a list with one reward a row, for {Rows(rows)}.");
        }
        catch (Exception e) when (e is not RlhfException && !(e is OperationCanceledException && cancellation.IsCancellationRequested))
        {
            throw new EngineException($"{_who} failed for {Rows(rows)}: {Told(e)}", e);
        }
    }

    private static string Who(string path) => $"The reward of the assembly '{path}'";

    private static string Rows(IReadOnlyList<RuleInput> rows) => rows.Count == 1 ? $"{rows[0].Place}" : $"{rows.Count} rows from {rows[0].Place} on";

    private static string Told(Exception e) => $"{e.GetType().Name}: {e.Message.TrimEnd('.')}. --log-level debug shows where.";

    public void Dispose()
    {
        try
        {
            _function.Dispose();
        }
        catch (Exception e)
        {
            Log.Warning($"{_who} could not be closed: {Told(e)}"); // its rewards are given
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
