using System.Collections;
using System.Collections.Frozen;
using System.Diagnostics.CodeAnalysis;

namespace Rlhf.Core;

/// <summary>
/// The rows of a run so far. Rows with the same metrics share their names, so that an iteration costs little more than its numbers: a run keeps its rows to the end, since every checkpoint holds them all.
/// </summary>
/// <param name="catalogue">Gives the order; the default one when null.</param>
public sealed class MetricHistory(MetricCatalogue? catalogue = null) : IReadOnlyList<MetricRow>
{
    private readonly MetricCatalogue _catalogue = catalogue ?? MetricCatalogue.Default;
    private readonly List<MetricRow> _rows = [];
    private readonly List<MetricNames> _names = [];

    public int Count => _rows.Count;

    public MetricRow this[int index] => _rows[index];

    /// <summary>Keeps a row: its numbers are copied.</summary>
    /// <exception cref="ArgumentException">A metric that is not in the catalogue.</exception>
    public void Add(MetricRow row)
    {
        if (_names.Find(n => n.AreThoseOf(row.Values)) is not { } names) _names.Add(names = new MetricNames(row.Values.Keys, _catalogue));
        _rows.Add(row with { Values = new MetricValues(names, row.Values) });
    }

    public IEnumerator<MetricRow> GetEnumerator() => _rows.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

/// <summary>Names of metrics in catalogue order.</summary>
internal sealed class MetricNames(IEnumerable<string> names, MetricCatalogue catalogue)
{
    private readonly FrozenDictionary<string, int> _places = catalogue.InOrder(names).Select((name, place) => KeyValuePair.Create(name, place)).ToFrozenDictionary();

    public string[] InOrder { get; } = [.. catalogue.InOrder(names)];

    public MetricCatalogue Catalogue => catalogue;

    public bool AreThoseOf(IReadOnlyDictionary<string, double> values) => values.Count == InOrder.Length && InOrder.All(values.ContainsKey);

    public bool TryFind(string name, out int place) => _places.TryGetValue(name, out place);
}

/// <summary>The numbers of a row, in catalogue order.</summary>
internal sealed class MetricValues(MetricNames names, IReadOnlyDictionary<string, double> values) : IReadOnlyDictionary<string, double>
{
    private readonly double[] _numbers = [.. names.InOrder.Select(name => values[name])];

    public MetricCatalogue Catalogue => names.Catalogue;

    public int Count => _numbers.Length;

    public IEnumerable<string> Keys => names.InOrder;

    public IEnumerable<double> Values => _numbers;

    public double this[string key] => TryGetValue(key, out double value) ? value : throw new KeyNotFoundException($"The row has no metric '{key}'.");

    public bool ContainsKey(string key) => names.TryFind(key, out _);

    public bool TryGetValue(string key, [MaybeNullWhen(false)] out double value)
    {
        bool isThere = names.TryFind(key, out int place);
        value = isThere ? _numbers[place] : 0;
        return isThere;
    }

    public IEnumerator<KeyValuePair<string, double>> GetEnumerator()
    {
        for (int i = 0; i < _numbers.Length; i++) yield return KeyValuePair.Create(names.InOrder[i], _numbers[i]);
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
