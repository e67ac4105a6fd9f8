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
        SamplerLogProbs = new double[tokens];
        ReferenceLogProbs = new double[tokens];
        OldValues = new double[tokens];
        OldEntropies = new double[tokens];
        TokenRewards = new double[tokens];
        Rewards = new double[tokens];
        Advantages = new double[tokens];
        Returns = new double[tokens];
        ResponseMask = new bool[tokens];
        Array.Fill(ResponseMask, true);
        Scores = new double[sequences.Count];
        Scored = new bool[sequences.Count];
        Array.Fill(Scored, true);
        Finished = new bool[sequences.Count];
        Array.Fill(Finished, true);
        Groups = [.. Enumerable.Range(0, sequences.Count)];
    }

    public IReadOnlyList<TrainingSequence> Sequences { get; }

    /// <summary>[responses + 1].</summary>
    public int[] Offsets { get; }

    /// <summary>[tokens] nats, by the trainer, before the first update.</summary>
    public double[] OldLogProbs { get; }

    /// <summary>[tokens] nats, by the rollout engine, of the unfiltered policy.</summary>
    public double[] RolloutLogProbs { get; }

    /// <summary>[tokens] nats, under the distribution that each token was drawn from (after filters): what importance weights are taken against.</summary>
    public double[] SamplerLogProbs { get; }

    /// <summary>[tokens] nats, by the reference policy.</summary>
    public double[] ReferenceLogProbs { get; }

    /// <summary>[tokens] exact KL(π_old‖reference) of each next-token distribution, nats; empty unless the method asks for it.</summary>
    public double[] FullVocabularyKl { get; set; } = [];

    /// <summary>[tokens] V(s) before the first update; 0 without a critic.</summary>
    public double[] OldValues { get; }

    /// <summary>[tokens] nats, of the policy before the first update.</summary>
    public double[] OldEntropies { get; }

    /// <summary>[tokens] dense rewards of the rows; 0 where there are none.</summary>
    public double[] TokenRewards { get; }

    /// <summary>[tokens] shaped rewards: KL penalty, and the score on the last real token.</summary>
    public double[] Rewards { get; }

    public double[] Advantages { get; }

    public double[] Returns { get; }

    /// <summary>[tokens] true = trained on.</summary>
    public bool[] ResponseMask { get; }

    /// <summary>[responses] the weighted sum of rewards, as scored.</summary>
    public double[] Scores { get; }

    /// <summary>[responses] true = has a score; the others are re-scored for audit, and count in nothing else. All true at first.</summary>
    public bool[] Scored { get; }

    /// <summary>[responses] true when the response ended by EOS or a stop string; all true at first.</summary>
    public bool[] Finished { get; }

    /// <summary>[responses] number of the prompt: responses to one prompt share it; at first every response is alone.</summary>
    public int[] Groups { get; }

    /// <summary>[responses] score of the greedy response to the same prompt, or empty.</summary>
    public double[] GreedyScores { get; set; } = [];

    /// <summary>[responses] score of the reference policy's response to the same prompt, or empty.</summary>
    public double[] ReferenceScores { get; set; } = [];

    /// <summary>[tokens] constant multipliers of the token losses (importance weights of sampler against trainer), or empty: 1.</summary>
    public double[] Corrections { get; set; } = [];

    public int Tokens => Offsets[^1];

    public Range Response(int i) => Offsets[i]..Offsets[i + 1];
}
