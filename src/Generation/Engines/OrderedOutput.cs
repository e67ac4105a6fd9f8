namespace Rlhf.Generation;

/// <summary>Gives items in the order of their numbers 0, 1, 2 …, whatever order they come in.</summary>
internal sealed class OrderedOutput<T>
{
    private readonly Dictionary<long, T> _waiting = [];
    private long _next;

    public void Add(long number, T item) => _waiting.Add(number, item);

    public bool TryTake(out T item)
    {
        if (!_waiting.Remove(_next, out item!)) return false;
        _next++;
        return true;
    }
}
