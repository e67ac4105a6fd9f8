using Rlhf.Core;

namespace Rlhf.Export;

/// <summary>
/// A strided block copy: <see cref="Count"/> runs of <see cref="Length"/> numbers, from <see cref="SourceOffset"/> every
/// <see cref="SourceStride"/> numbers to <see cref="DestinationOffset"/> every <see cref="DestinationStride"/> numbers.
/// Copies, column concatenation and head padding are all lists of such pieces.
/// </summary>
public readonly record struct WeightPiece(
    string Source, int SourceOffset, int SourceStride, int DestinationOffset, int DestinationStride, int Length, int Count);

/// <summary>One initializer of the exported graph and where its numbers come from.</summary>
/// <param name="Initializer">Name in the ONNX graph.</param>
/// <param name="Dimensions">Shape in the ONNX graph.</param>
/// <param name="Pieces">How parameters fill it; empty for a constant of the graph (rotary tables).</param>
/// <param name="Constant">Fills a constant; null when <paramref name="Pieces"/> say all.</param>
public sealed record WeightEntry(
    string Initializer, IReadOnlyList<long> Dimensions, IReadOnlyList<WeightPiece> Pieces, Action<Memory<float>>? Constant = null)
{
    /// <summary>Number of float32 numbers.</summary>
    public int Count => checked((int)Dimensions.Aggregate(1L, (a, b) => a * b));

    /// <summary>The parameter whose memory can stand for the initializer as it is, or null where numbers must be moved.</summary>
    public string? PureCopyOf =>
        Pieces is [{ SourceOffset: 0, DestinationOffset: 0 } only] && only.Length * only.Count == Count ? only.Source : null;

    /// <summary>The parameters that are read, each once, in order.</summary>
    public IEnumerable<string> Sources => Pieces.Select(piece => piece.Source).Distinct();

    /// <summary>Writes the initializer's numbers.</summary>
    /// <param name="weights">Parameters as the trainer keeps them.</param>
    /// <param name="destination">[<see cref="Count"/>] numbers, overwritten.</param>
    public void Fill(IModelWeights weights, Memory<float> destination)
    {
        if (destination.Length != Count)
            throw new ArgumentException($"{Initializer}: destination has {destination.Length} numbers; expected {Count}.", nameof(destination));
        if (Constant is not null)
        {
            Constant(destination);
            return;
        }

        Span<float> to = destination.Span;
        int filled = Pieces.Sum(piece => piece.Length * piece.Count);
        if (filled != to.Length) to.Clear();
        string? name = null;
        ReadOnlySpan<float> from = default;
        foreach (WeightPiece piece in Pieces)
        {
            if (piece.Source != name)
            {
                name = piece.Source;
                from = weights.Get(name);
                int expected = SourceLength(name);
                if (from.Length != expected)
                {
                    throw new BadModelException(
                        $"Parameter '{name}' has {from.Length} numbers; the configuration asks for {expected} (it fills {Initializer} " +
                        $"[{string.Join(", ", Dimensions)}]). Check that config.json belongs to these weights.");
                }
            }

            if (piece.Length == piece.SourceStride && piece.Length == piece.DestinationStride)
            {
                from.Slice(piece.SourceOffset, piece.Length * piece.Count).CopyTo(to[piece.DestinationOffset..]);
                continue;
            }

            for (int run = 0; run < piece.Count; run++)
            {
                from.Slice(piece.SourceOffset + (run * piece.SourceStride), piece.Length)
                    .CopyTo(to[(piece.DestinationOffset + (run * piece.DestinationStride))..]);
            }
        }
    }

    // Every number of a source is used exactly once, so the pieces tell how long the source must be.
    private int SourceLength(string source) => Pieces.Where(piece => piece.Source == source).Sum(piece => piece.Length * piece.Count);
}
