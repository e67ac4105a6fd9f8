using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>
/// Token documents laid end to end and cut into training sequences of equal length. Block <c>i</c> of an epoch starts at an offset that
/// moves from epoch to epoch, and the order is a permutation by address, so step <c>n</c> sees the same tokens in every run.
/// </summary>
/// <param name="tokens">All documents, each with its BOS and EOS.</param>
/// <param name="sequenceLength">Predicted tokens of one sequence; a block holds one more.</param>
/// <param name="seed">Seed of offset and order.</param>
public sealed class PackedCorpus(int[] tokens, int sequenceLength, ulong seed)
{
    private int _epoch = -1;
    private int[] _order = [];
    private int _offset;

    public long Tokens => tokens.Length;

    /// <summary>Whole sequences of one epoch.</summary>
    public int SequencesPerEpoch { get; } = Math.Max(0, (tokens.Length - sequenceLength - 1) / sequenceLength);

    /// <summary>The n-th sequence of training, counted over all epochs; every token after the first is trained on.</summary>
    public TrainingSequence Sequence(long n)
    {
        int epoch = (int)(n / SequencesPerEpoch);
        if (epoch != _epoch)
        {
            _epoch = epoch;
            _order = AddressedRandom.Permutation(SequencesPerEpoch, seed, (uint)epoch, 0x5F7);
            _offset = (int)(AddressedRandom.Bits(seed, AddressedRandom.Stream.Data, (uint)epoch) % (ulong)sequenceLength);
        }

        int block = _order[(int)(n % SequencesPerEpoch)];
        long start = _offset + ((long)block * sequenceLength);
        return new TrainingSequence(tokens.AsMemory((int)start, sequenceLength + 1), 1) { Row = block };
    }
}
