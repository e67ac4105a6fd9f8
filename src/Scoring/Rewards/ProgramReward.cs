namespace Rlhf.Scoring;

/// <summary>
/// A program as a reward: it is started once, reads one JSON object a line ({"id", "prompt", "response", "response_tokens", "metadata"}) and writes one a line
/// in the same order: {"reward": number, list or null}, with the id or without. It must flush after each line. After a failure it is started anew.
/// </summary>
internal sealed class ProgramReward : IRewardFunction
{
    // A program that writes two lines a row writes the second one at once.
    private static readonly TimeSpan FirstMoment = TimeSpan.FromMilliseconds(50), Moment = TimeSpan.FromMilliseconds(10);

    // Ctrl-C reaches the program as soon as us: its end is then no failure of its own.
    private static readonly TimeSpan InterruptGrace = TimeSpan.FromMilliseconds(500);
    private readonly string _command, _who;
    private readonly TimeSpan _timeout;
    private RewardProcess? _process;

    /// <param name="command">Shell command.</param>
    /// <param name="timeout">Longest wait for one answer.</param>
    public ProgramReward(string command, TimeSpan timeout) => (_command, _who, _timeout) = (command, $"The reward program '{command}'", timeout);

    public IReadOnlyList<RewardValue> Score(IReadOnlyList<RuleInput> rows, CancellationToken cancellation)
    {
        _process ??= RewardProcess.Start(_command, _who, _timeout);
        RuleInput[] all = [.. rows];
        var values = new RewardValue[all.Length];
        try
        {
            // The first row of all goes alone, so that a second answer to it is not taken for that of the second row.
            int first = _process.Sent == 0 ? 1 : 0;
            Exchange(_process, all, 0, first, values, cancellation);
            Exchange(_process, all, first, all.Length, values, cancellation);
            return values;
        }
        catch (Exception e)
        {
            _process.Kill();
            Dispose();
            if (e is not OperationCanceledException && cancellation.CanBeCanceled && cancellation.WaitHandle.WaitOne(InterruptGrace)) throw new OperationCanceledException(cancellation);
            throw;
        }
    }

    private void Exchange(RewardProcess process, RuleInput[] rows, int from, int to, RewardValue[] values, CancellationToken cancellation)
    {
        if (from == to) return;
        long id = process.Sent;
        Task sending = process.Send(new ArraySegment<RuleInput>(rows, from, to - from));
        for (int i = from; i < to; i++) values[i] = RewardJson.Value(process.Next(rows[i].Place, cancellation), id++, _who, rows[i].Place);
        process.Settle(sending, process.Sent == 1 ? FirstMoment : Moment, cancellation);
    }

    public void Dispose()
    {
        _process?.Dispose();
        _process = null;
    }
}
