namespace Rlhf.Optimization;

/// <summary>
/// An iteration's responses as flat ragged arrays: token <c>t</c> of response <c>i</c> is at <c>Offsets[i] + t</c>. Nothing is padded here.
/// </summary>
public sealed class TrajectoryBatch
{
    public TrajectoryBatch(IReadOnlyList<TrainingSequence> sequences)
    {
        Sequences = sequences;
        Offsets = new int[sequences.Count + 1];
        for (int i = 0; i < sequences.Count; i++) Offsets[i + 1] = Offsets[i] + sequences[i].ResponseLength;
        int tokens = Offsets[^1];
        OldLogProbs = new double[tokens];
        RolloutLogProbs = new double[tokens];
        ReferenceLogProbs = new double[tokens];
        OldValues = new double[tokens];
        OldEntropies = new double[tokens];
        Rewards = new double[tokens];
        Advantages = new double[tokens];
        Returns = new double[tokens];
        ResponseMask = new bool[tokens];
        Array.Fill(ResponseMask, true);
        Scores = new double[sequences.Count];
        Finished = new bool[sequences.Count];
        Array.Fill(Finished, true);
        Groups = [.. Enumerable.Range(0, sequences.Count)];
    }

    public IReadOnlyList<TrainingSequence> Sequences { get; }

    /// <summary>[responses + 1].</summary>
    public int[] Offsets { get; }

    /// <summary>[tokens] nats, by the trainer, before the first update.</summary>
    public double[] OldLogProbs { get; }

    /// <summary>[tokens] nats, by the rollout engine.</summary>
    public double[] RolloutLogProbs { get; }

    /// <summary>[tokens] nats, by the reference policy.</summary>
    public double[] ReferenceLogProbs { get; }

    /// <summary>[tokens] V(s) before the first update.</summary>
    public double[] OldValues { get; }

    /// <summary>[tokens] nats, of the policy before the first update.</summary>
    public double[] OldEntropies { get; }

    /// <summary>[tokens] shaped rewards: KL penalty, and the score on the last real token.</summary>
    public double[] Rewards { get; }

    public double[] Advantages { get; }

    public double[] Returns { get; }

    /// <summary>[tokens] true = trained on.</summary>
    public bool[] ResponseMask { get; }

    /// <summary>[responses] the weighted sum of rewards, as scored.</summary>
    public double[] Scores { get; }

    /// <summary>[responses] true when the response ended by EOS or a stop string; all true at first.</summary>
    public bool[] Finished { get; }

    /// <summary>[responses] number of the prompt: responses to one prompt share it; at first every response is alone.</summary>
    public int[] Groups { get; }

    public int Tokens => Offsets[^1];

    public Range Response(int i) => Offsets[i]..Offsets[i + 1];
}
