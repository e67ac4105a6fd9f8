namespace TorchSharp;

/// <summary>The stack of open dispose scopes of one thread.</summary>
public class DisposeScopeManager
{
    [ThreadStatic]
    private static DisposeScopeManager? s_current;

    private readonly List<DisposeScope> _scopes = [];

    public static ThreadDisposeScopeStatistics Statistics => Current.ThreadStatistics;

    internal static DisposeScopeManager Current => s_current ??= new DisposeScopeManager();

    internal ThreadDisposeScopeStatistics ThreadStatistics { get; } = new();

    internal LifetimeStatistics Tensors => ThreadStatistics.Counts;

    internal DisposeScope? Innermost => _scopes.Count == 0 ? null : _scopes[^1];

    internal DisposeScope Open()
    {
        var scope = new DisposeScope(this, Innermost);
        _scopes.Add(scope);
        return scope;
    }

    internal void Close(DisposeScope scope) => _scopes.Remove(scope);

    internal DisposeScope? Register(IDisposable created)
    {
        DisposeScope? scope = Innermost;
        if (scope is null)
        {
            Tensors.CreatedOutsideScopeCount++;
            return null;
        }
        Tensors.CreatedInScopeCount++;
        scope.Include(created);
        return scope;
    }
}

/// <summary>Counts of one thread: how many tensors were created, disposed, attached and detached, in and outside of scopes.</summary>
public interface ILifetimeStatistics
{
    long CreatedOutsideScopeCount { get; }

    long DisposedOutsideScopeCount { get; }

    long CreatedInScopeCount { get; }

    long DisposedInScopeCount { get; }

    /// <summary>Created outside of a scope and attached to one later.</summary>
    long AttachedToScopeCount { get; }

    long DetachedFromScopeCount { get; }

    /// <summary>Created less disposed.</summary>
    long ThreadTotalLiveCount { get; }

    void Reset();
}

/// <inheritdoc cref="ILifetimeStatistics"/>
public class LifetimeStatistics : ILifetimeStatistics
{
    public long CreatedOutsideScopeCount { get; internal set; }

    public long DisposedOutsideScopeCount { get; internal set; }

    public long CreatedInScopeCount { get; internal set; }

    public long DisposedInScopeCount { get; internal set; }

    public long AttachedToScopeCount { get; internal set; }

    public long DetachedFromScopeCount { get; internal set; }

    public long ThreadTotalLiveCount => CreatedInScopeCount - DisposedInScopeCount + CreatedOutsideScopeCount - DisposedOutsideScopeCount;

    public void Reset()
    {
        CreatedOutsideScopeCount = DisposedOutsideScopeCount = CreatedInScopeCount = DisposedInScopeCount = 0;
        AttachedToScopeCount = DetachedFromScopeCount = 0;
    }
}

/// <summary>The statistics of the calling thread.</summary>
public class ThreadDisposeScopeStatistics : ILifetimeStatistics
{
    public ILifetimeStatistics TensorStatistics => Counts;

    public long CreatedOutsideScopeCount => Counts.CreatedOutsideScopeCount;

    public long DisposedOutsideScopeCount => Counts.DisposedOutsideScopeCount;

    public long CreatedInScopeCount => Counts.CreatedInScopeCount;

    public long DisposedInScopeCount => Counts.DisposedInScopeCount;

    public long AttachedToScopeCount => Counts.AttachedToScopeCount;

    public long DetachedFromScopeCount => Counts.DetachedFromScopeCount;

    public long ThreadTotalLiveCount => Counts.ThreadTotalLiveCount;

    internal LifetimeStatistics Counts { get; } = new();

    public void Reset() => Counts.Reset();
}
