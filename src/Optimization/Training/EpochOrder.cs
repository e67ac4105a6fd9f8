using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary>
/// The order in which examples are seen: every epoch a permutation of its own, by address, so example n of a training is a pure function of the
/// seed and a resumed or repeated run sees the same.
/// </summary>
/// <param name="count">Examples of one epoch.</param>
/// <param name="seed">The run's.</param>
/// <param name="salt">Tells apart the orders of different trainings of one seed.</param>
public sealed class EpochOrder(int count, ulong seed, uint salt)
{
    private long _epoch = -1;
    private int[] _order = [];

    /// <summary>Which example is the n-th of training, counted over all epochs.</summary>
    public int this[long n]
    {
        get
        {
            long epoch = EpochOf(n);
            if (epoch != _epoch) (_epoch, _order) = (epoch, AddressedRandom.Permutation(count, seed, (uint)epoch, salt));
            return _order[(int)(n % count)];
        }
    }

    /// <summary>The epoch that the n-th example of training belongs to.</summary>
    public long EpochOf(long n) => n / count;

    /// <summary>The examples of an optimiser step.</summary>
    public int[] Batch(long step, int size)
    {
        int[] batch = new int[size];
        for (int i = 0; i < size; i++) batch[i] = this[(step * size) + i];
        return batch;
    }
}
